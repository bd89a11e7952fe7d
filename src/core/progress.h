#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace bertha {

/// Told how far a long piece of work is: what is done and all there is, in the work's own unit
/// (bytes, files). Called by one thread at a time; may be empty.
using ReportProgress = std::function<void(int64_t done, int64_t total)>;

/// Adds up what several threads get done.
class ProgressCounter {
 public:
  ProgressCounter(int64_t total, ReportProgress report)
      : total_(total), report_(std::move(report)) {}

  void add(int64_t done) {
    const std::lock_guard lock(mutex_);
    done_ += done;
    if (report_) report_(done_, total_);
  }

 private:
  std::mutex mutex_;
  int64_t done_ = 0;
  int64_t total_;
  ReportProgress report_;
};

}  // namespace bertha
