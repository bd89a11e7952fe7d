#pragma once

// The routes of each API. A function adds its group to the table.

#include "serve/routes/route_table.h"

namespace bertha::serve {

/// bertha's own: answers and masks, with strict fields.
void add_own_routes(RouteTable& table);
/// Those of text-embeddings-inference.
void add_tei_routes(RouteTable& table);
/// OpenAI's, and infinity's, which has the same bodies.
void add_openai_routes(RouteTable& table);
/// Rerank of Cohere and Jina; /rerank takes the fields of text-embeddings-inference, too.
void add_rerank_routes(RouteTable& table);
/// The tasks of Hugging Face's inference API.
void add_hugging_face_routes(RouteTable& table);
/// The Open Inference Protocol (KServe v2) over HTTP, with binary tensors.
void add_kserve_routes(RouteTable& table);
/// Health, metrics and the model's page.
void add_server_routes(RouteTable& table);

/// All of them; the documents about the routes are made from it.
const RouteTable& all_routes();

}  // namespace bertha::serve
