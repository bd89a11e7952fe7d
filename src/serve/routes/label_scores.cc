#include "serve/routes/label_scores.h"

#include <algorithm>
#include <numeric>

#include "serve/routes/json_schema.h"

namespace bertha::serve {

std::vector<std::string> labels_of(const CallRef& call) {
  for (ModelInfo& info : call->service().models()) {
    if (info.name == call->model()) return std::move(info.labels);
  }
  return {};
}

std::string label_of(std::span<const std::string> labels, size_t index) {
  return index < labels.size() ? labels[index] : fmt::format("LABEL_{}", index);
}

std::vector<size_t> descending(std::span<const double> scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  return order;
}

void append_label_scores(JsonWriter& json, std::span<const std::string> labels,
                         std::span<const double> scores, size_t top) {
  json.begin_array();
  std::vector<size_t> order = descending(scores);
  order.resize(std::min(order.size(), top));
  for (const size_t index : order) {
    json.begin_object().key("score").number(static_cast<float>(scores[index]));
    json.key("label").string(label_of(labels, index)).end_object();
  }
  json.end_array();
}

Json label_scores_schema() {
  return schema::array(schema::object({{"score", schema::number()}, {"label", schema::string()}}));
}

}  // namespace bertha::serve
