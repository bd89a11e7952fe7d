#pragma once

// The request for cosines that text-embeddings-inference and Hugging Face share.

#include <optional>
#include <string>
#include <vector>

#include "serve/routes/request_texts.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

struct SentenceFields {
  std::string source_sentence;
  std::vector<std::string> sentences;
  static FieldTable<SentenceFields> fields();
};

struct SimilarityParameters : TruncationFields {
  std::optional<std::string> prompt_name;
  static FieldTable<SimilarityParameters> fields();
};

struct SimilarityBody {
  SentenceFields inputs;
  SimilarityParameters parameters;
  static FieldTable<SimilarityBody> fields();
};

/// Answers with an array of the cosines. `model` may be empty.
void answer_similarity(const std::string& model, SimilarityBody body, const CallRef& call);

}  // namespace bertha::serve
