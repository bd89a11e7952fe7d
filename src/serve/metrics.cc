#include "serve/metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"

namespace bertha::serve {
namespace {

constexpr size_t kSecondsBuckets = 35;
constexpr size_t kCountBuckets = 17;

std::array<double, kSecondsBuckets> make_seconds_buckets() {
  std::array<double, kSecondsBuckets> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = 1e-5 * std::pow(1.5, static_cast<double>(i));
  }
  return bounds;
}

std::array<double, kCountBuckets> make_count_buckets() {
  std::array<double, kCountBuckets> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = static_cast<double>(1 << i);
  return bounds;
}

bool is_name(std::string_view text, bool colon) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return letter(c) || digit(c); });
}

/// A help text or a label's value with the escapes of the format.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

/// {a="x",b="y"}, with `le` behind the labels if it is not empty.
std::string label_text(const Metrics::Labels& labels, std::string_view le) {
  std::string out;
  const auto append = [&](std::string_view name, std::string_view value) {
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, escaped(value, true));
  };
  for (const auto& [name, value] : labels) append(name, value);
  if (!le.empty()) append("le", le);
  return out.empty() ? out : "{" + out + "}";
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {}

void Histogram::observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

int64_t Histogram::count() const {
  int64_t all = 0;
  for (const auto& count : counts_) all += count.load(std::memory_order_relaxed);
  return all;
}

double Histogram::quantile(double q) const {
  const double rank = q * static_cast<double>(count());
  double below = 0;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    const auto here = static_cast<double>(counts_[i].load(std::memory_order_relaxed));
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : bounds_[i - 1];
      return low + (bounds_[i] - low) * (rank - below) / here;
    }
    below += here;
  }
  return below > 0 || count() > 0 ? bounds_.back() : 0;
}

std::span<const double> seconds_buckets() {
  static const std::array<double, kSecondsBuckets> bounds = make_seconds_buckets();
  return bounds;
}

std::span<const double> count_buckets() {
  static const std::array<double, kCountBuckets> bounds = make_count_buckets();
  return bounds;
}

struct Metrics::Series {
  Labels labels;
  Counter counter;
  Gauge gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
};

struct Metrics::Family {
  std::string name;
  std::string help;
  std::string_view type;
  std::vector<std::unique_ptr<Series>> series;
};

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Metrics::Series& Metrics::series(const std::string& name, const std::string& help,
                                 std::string_view type, const Labels& labels) {
  if (!is_name(name, true)) fail("\"{}\" is no name of a metric", name);
  for (const auto& [label, value] : labels) {
    if (!is_name(label, false)) fail("metric {}: \"{}\" is no name of a label", name, label);
  }
  auto family = std::ranges::find(families_, name, [](const auto& each) { return each->name; });
  if (family == families_.end()) {
    families_.push_back(std::make_unique<Family>(Family{name, help, type, {}}));
    family = std::prev(families_.end());
  }
  if ((*family)->type != type) fail("metric {} is a {} already", name, (*family)->type);
  for (const auto& each : (*family)->series) {
    if (each->labels == labels) return *each;
  }
  (*family)->series.push_back(std::make_unique<Series>());
  (*family)->series.back()->labels = labels;
  return *(*family)->series.back();
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return series(name, help, "counter", labels).counter;
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return series(name, help, "gauge", labels).gauge;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              std::span<const double> bounds, const Labels& labels) {
  if (bounds.empty() || !std::ranges::is_sorted(bounds, std::less_equal<>())) {
    fail("metric {}: the bounds of a histogram must ascend", name);
  }
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Histogram>& found = series(name, help, "histogram", labels).histogram;
  if (found == nullptr) found = std::make_unique<Histogram>(bounds);
  if (!std::ranges::equal(found->bounds_, bounds)) fail("metric {} has other bounds already", name);
  return *found;
}

void Metrics::gauge_of(const std::string& name, const std::string& help,
                       std::function<double()> read, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  series(name, help, "gauge", labels).read = std::move(read);
}

void Metrics::counter_of(const std::string& name, const std::string& help,
                         std::function<double()> read, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  series(name, help, "counter", labels).read = std::move(read);
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto line = [&](const std::string& name, const std::string& labels, double value) {
    fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, labels, number(value));
  };
  const auto histogram_lines = [&](const std::string& name, const Series& series) {
    int64_t below = 0;
    const Histogram& values = *series.histogram;
    for (size_t i = 0; i < values.counts_.size(); ++i) {
      below += values.counts_[i].load(std::memory_order_relaxed);
      const std::string bound = i < values.bounds_.size() ? number(values.bounds_[i]) : "+Inf";
      line(name + "_bucket", label_text(series.labels, bound), static_cast<double>(below));
    }
    line(name + "_sum", label_text(series.labels, ""), values.sum());
    line(name + "_count", label_text(series.labels, ""), static_cast<double>(below));
  };
  for (const auto& family : families_) {
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", family->name,
                   escaped(family->help, false), family->name, family->type);
    for (const auto& series : family->series) {
      if (series->histogram != nullptr) {
        histogram_lines(family->name, *series);
      } else if (series->read) {
        line(family->name, label_text(series->labels, ""), series->read());
      } else {
        line(family->name, label_text(series->labels, ""),
             family->type == "counter" ? series->counter.value() : series->gauge.value());
      }
    }
  }
  return out;
}

namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Field `index` (from 0) of /proc/self/statm, in bytes.
double memory_bytes(int index) {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  for (int i = 0; i <= index; ++i) file >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double entries_of(const char* folder) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(folder, error);
  return error ? 0 : static_cast<double>(std::distance(begin(entries), end(entries)));
}

double most_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

double unix_seconds() {
  timeval now{};
  gettimeofday(&now, nullptr);
  return static_cast<double>(now.tv_sec);
}

}  // namespace

void add_process_metrics(Metrics& metrics) {
  metrics.counter_of("process_cpu_seconds_total", "CPU time of all threads in seconds.",
                     cpu_seconds);
  metrics.gauge_of("process_resident_memory_bytes", "Resident memory in bytes.",
                   [] { return memory_bytes(1); });
  metrics.gauge_of("process_virtual_memory_bytes", "Virtual memory in bytes.",
                   [] { return memory_bytes(0); });
  metrics.gauge_of("process_open_fds", "Open file descriptors.",
                   [] { return entries_of("/proc/self/fd"); });
  metrics.gauge_of("process_max_fds", "Maximum number of open file descriptors.", most_descriptors);
  metrics.gauge_of("process_threads", "Threads of the process.",
                   [] { return entries_of("/proc/self/task"); });
  metrics.gauge("process_start_time_seconds", "Start of the process in seconds since 1970.")
      .set(unix_seconds());
}

}  // namespace bertha::serve
