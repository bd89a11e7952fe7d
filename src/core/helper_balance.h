#pragma once

// Whether the helpers of a thread pool are worth their waits. When other processes use the cores,
// the system may take a helper from its core within a block, and the caller waits until the helper
// is back. This class compares the time lost in such waits with the time that helpers save. When
// more is lost, the caller works alone for a while, and then tries again.

#include <algorithm>
#include <chrono>

namespace bertha {

class HelperBalance {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = Clock::duration;

  /// A wait of this length makes helpers measure their time.
  static constexpr Duration kLongWait = std::chrono::microseconds(200);
  /// Time that helpers may lose beyond what they save.
  static constexpr Duration kMostCredit = std::chrono::milliseconds(4);
  /// The same after a rest.
  static constexpr Duration kTrialCredit = std::chrono::microseconds(200);
  static constexpr Duration kFirstRest = std::chrono::milliseconds(20);
  static constexpr Duration kLongestRest = std::chrono::milliseconds(320);

  /// What helpers did in a loop. The last two are known where helpers measured.
  struct Loop {
    Duration waited{};   ///< time of the caller after its own last block
    Duration helped{};   ///< processor time of helpers within blocks
    Duration stalled{};  ///< time of helpers within blocks, but not on a core
  };

  /// True when helpers should measure `helped` and `stalled`.
  bool measures() const { return measures_; }

  /// True while the caller should work alone. now() gives the time; it is called in a rest alone.
  template <typename Now>
  bool rests(const Now& now) {
    if (rests_) rests_ = now() < rest_end_;
    return rests_;
  }

  /// Takes account of a loop that ended at `now`.
  void add(const Loop& loop, Clock::time_point now) {
    if (!measures_) {
      if (loop.waited < kLongWait) return;
      measures_ = true;
      credit_ = kMostCredit / 2;
      return;
    }
    credit_ += loop.helped - std::min(loop.waited, loop.stalled);
    if (credit_ >= kMostCredit) {
      measures_ = false;
      rest_ = kFirstRest;
    } else if (credit_ < Duration::zero()) {
      rests_ = true;
      rest_end_ = now + rest_;
      rest_ = std::min(2 * rest_, kLongestRest);
      credit_ = kTrialCredit;
    }
  }

 private:
  bool measures_ = false;
  bool rests_ = false;
  Duration credit_{};
  Duration rest_ = kFirstRest;
  Clock::time_point rest_end_{};
};

}  // namespace bertha
