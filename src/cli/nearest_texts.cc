#include "cli/nearest_texts.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

namespace bertha::cli {
namespace {

double product(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                            [](float x, float y) { return double{x} * double{y}; });
}

double cosine(std::span<const float> a, std::span<const float> b) {
  const double lengths = std::sqrt(product(a, a) * product(b, b));
  return lengths == 0 ? 0 : product(a, b) / lengths;
}

bool nearer(const NearText& a, const NearText& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.record.line < b.record.line;
}

}  // namespace

void NearestTexts::offer(std::span<const float> vector, const TextRecord& record) {
  const double near = cosine(query_, vector);
  if (heap_.size() == most_) {
    if (near <= heap_.front().cosine) return;  // an equal one is behind in the file
    std::pop_heap(heap_.begin(), heap_.end(), nearer);
    heap_.pop_back();
  }
  heap_.push_back({near, record});
  std::push_heap(heap_.begin(), heap_.end(), nearer);
}

std::vector<NearText> NearestTexts::take() {
  std::sort_heap(heap_.begin(), heap_.end(), nearer);
  return std::exchange(heap_, {});
}

}  // namespace bertha::cli
