#pragma once

// How long a batch takes: a fixed part and a part for each token, fitted at the start, and a factor
// that follows what batches take later.

#include <cstdint>
#include <span>

namespace bertha::serve {

/// The time of a batch of this size.
struct BatchTiming {
  int64_t tokens = 0;
  double seconds = 0;
};

class BatchCost {
 public:
  BatchCost() = default;
  BatchCost(double fixed_seconds, double token_seconds)
      : fixed_seconds_(fixed_seconds), token_seconds_(token_seconds) {}
  /// The line of least squares through the timings, each relative to its size, so that long batches
  /// do not hide the short ones. Neither part is negative, and a token takes some time.
  static BatchCost fit(std::span<const BatchTiming> timings);

  double fixed_seconds() const { return fixed_seconds_; }
  double token_seconds() const { return token_seconds_; }

  /// Predicted time of a batch.
  double seconds(int64_t tokens) const {
    return factor_ * (fixed_seconds_ + token_seconds_ * static_cast<double>(tokens));
  }
  /// Predicted time of tokens that wait and will run in batches of `budget` tokens.
  double queued_seconds(int64_t tokens, int64_t budget) const {
    return factor_ * static_cast<double>(tokens) *
           (token_seconds_ + fixed_seconds_ / static_cast<double>(budget));
  }
  /// Follows a batch that ran: an exponential average over about ten batches.
  void observe(const BatchTiming& timing);

 private:
  double fixed_seconds_ = 0;
  double token_seconds_ = 1e-6;
  double factor_ = 1;
};

/// Tokens of the smallest of these batches that runs at 97 % of the greatest rate, or faster. A
/// larger one makes requests wait for longer, and its activations leave the caches.
int64_t smallest_fast_batch(std::span<const BatchTiming> timings);

}  // namespace bertha::serve
