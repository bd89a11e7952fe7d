#pragma once

// The request of /rerank, which the route of a model takes, too.

#include <optional>
#include <string>
#include <vector>

#include "serve/routes/request_texts.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

/// `texts` asks for the answer of text-embeddings-inference, `documents` for that of infinity.
struct RankBody : TruncationFields {
  std::string model;
  std::string query;
  std::optional<std::vector<std::string>> texts;
  std::optional<std::vector<Document>> documents;
  bool raw_scores = false;
  bool return_text = false;
  bool return_documents = false;
  std::optional<int64_t> top_n;

  static FieldTable<RankBody> fields();
};

/// Ranks the texts with the model of the body, or with `model` where it names none.
void answer_rank(const std::string& model, RankBody body, const CallRef& call);

}  // namespace bertha::serve
