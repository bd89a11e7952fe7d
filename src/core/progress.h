#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace bertha {

/// A long piece of work calls it with the amount that is done and the whole amount, in a unit of
/// its own (bytes, files). One thread calls it at a time. It may be empty.
using ReportProgress = std::function<void(int64_t done, int64_t total)>;

/// Reports the sum of what several threads have done.
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
