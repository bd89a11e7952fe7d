#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace bertha::train {

/// Counts how often each token is the label of a masked position. The entropy of the counts is the
/// loss of a model that knows only the frequencies of tokens. A trained model must be well below.
class LabelCounts {
 public:
  explicit LabelCounts(int64_t vocab_size) : counts_(static_cast<size_t>(vocab_size)) {}

  void add(std::span<const int32_t> labels) {
    for (const int32_t label : labels) ++counts_[static_cast<size_t>(label)];
    total_ += static_cast<int64_t>(labels.size());
  }

  /// In nats. 0 where no label was added.
  double entropy() const {
    double sum = 0;
    for (const int64_t count : counts_) {
      const double share = static_cast<double>(count) / static_cast<double>(total_);
      if (count > 0) sum -= share * std::log(share);
    }
    return sum;
  }

 private:
  std::vector<int64_t> counts_;
  int64_t total_ = 0;
};

}  // namespace bertha::train
