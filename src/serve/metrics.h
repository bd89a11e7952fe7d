#pragma once

// A registry of metrics with the text format of Prometheus 0.0.4. Series are made at start, so that
// each exists before its first event; labels come from fixed sets, so that their number is bounded.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bertha::serve {

/// Grows only.
class Counter {
 public:
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

/// Counts of values by upper bound.
class Histogram {
 public:
  /// `bounds` ascend; a last one of +Inf is implied.
  explicit Histogram(std::span<const double> bounds);
  void observe(double value);
  int64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  /// Estimate of the quantile q in [0, 1], linear within a bucket; 0 without values.
  double quantile(double q) const;

 private:
  friend class Metrics;
  std::vector<double> bounds_;
  std::vector<std::atomic<int64_t>> counts_;  ///< one a bucket, not cumulative
  std::atomic<double> sum_ = 0;
};

/// 1e-5 · 1.5^i seconds for i < 35, as text-embeddings-inference has them: 10 µs to 9.7 s.
std::span<const double> seconds_buckets();
/// 1, 2, 4, … 65536.
std::span<const double> count_buckets();

class Metrics {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// The series of this name and these labels, made at the first call. The reference is valid as
  /// long as the registry. Throws Error if the name or a label's name is no valid one, or if the
  /// name has another type or other bounds already. Any thread; keep the reference in hot code.
  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help,
                       std::span<const double> bounds, const Labels& labels = {});
  /// A value that is computed when the text is made. `read` runs on the thread that calls text().
  void gauge_of(const std::string& name, const std::string& help, std::function<double()> read,
                const Labels& labels = {});
  void counter_of(const std::string& name, const std::string& help, std::function<double()> read,
                  const Labels& labels = {});

  /// All series, for `text/plain; version=0.0.4; charset=utf-8`.
  std::string text() const;

 private:
  struct Family;
  struct Series;
  Series& series(const std::string& name, const std::string& help, std::string_view type,
                 const Labels& labels);

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
};

constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// Adds process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
/// process_max_fds, process_threads and process_start_time_seconds.
void add_process_metrics(Metrics& metrics);

}  // namespace bertha::serve
