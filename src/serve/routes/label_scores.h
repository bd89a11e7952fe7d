#pragma once

// The labels of a classifier with their scores, as text-embeddings-inference, infinity and Hugging
// Face write them: [{"score","label"}], the best first.

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "serve/routes/json_writer.h"
#include "serve/routes/request_json.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

/// The labels of the call's model; empty if it has no names for them.
std::vector<std::string> labels_of(const CallRef& call);
/// The name of a class: its label, or "LABEL_3".
std::string label_of(std::span<const std::string> labels, size_t index);

void append_label_scores(JsonWriter& json, std::span<const std::string> labels,
                         std::span<const double> scores,
                         size_t top = std::numeric_limits<size_t>::max());
Json label_scores_schema();

/// Indices of scores, the highest first, equal ones in their order.
std::vector<size_t> descending(std::span<const double> scores);

}  // namespace bertha::serve
