#include "serve/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "core/error.h"

namespace bertha::serve {
namespace {

TEST(Metrics, TheTextHasTheFormatOfPrometheus) {
  Metrics metrics;
  metrics.counter("a_total", "Counts \\ of\nthings.", {{"kind", "x\"y\\z\n"}}).add(3);
  metrics.counter("a_total", "", {{"kind", "b"}, {"code", "200"}}).add();
  metrics.gauge("b", "A gauge.").set(0.5);
  const std::array<double, 2> bounds = {1, 2.5};
  Histogram& histogram = metrics.histogram("c_seconds", "A histogram.", bounds, {{"m", "n"}});
  for (const double value : {0.5, 1.0, 2.0, 7.0}) histogram.observe(value);
  metrics.gauge_of("d", "Computed.", [] { return std::numeric_limits<double>::infinity(); });
  EXPECT_EQ(metrics.text(),
            "# HELP a_total Counts \\\\ of\\nthings.\n"
            "# TYPE a_total counter\n"
            "a_total{kind=\"x\\\"y\\\\z\\n\"} 3\n"
            "a_total{kind=\"b\",code=\"200\"} 1\n"
            "# HELP b A gauge.\n"
            "# TYPE b gauge\n"
            "b 0.5\n"
            "# HELP c_seconds A histogram.\n"
            "# TYPE c_seconds histogram\n"
            "c_seconds_bucket{m=\"n\",le=\"1\"} 2\n"
            "c_seconds_bucket{m=\"n\",le=\"2.5\"} 3\n"
            "c_seconds_bucket{m=\"n\",le=\"+Inf\"} 4\n"
            "c_seconds_sum{m=\"n\"} 10.5\n"
            "c_seconds_count{m=\"n\"} 4\n"
            "# HELP d Computed.\n"
            "# TYPE d gauge\n"
            "d +Inf\n");
}

TEST(Metrics, OneNameHasOneTypeAndOneSetOfBounds) {
  Metrics metrics;
  metrics.counter("a", "A.");
  EXPECT_THROW(metrics.gauge("a", "A."), Error);
  metrics.histogram("h", "H.", seconds_buckets());
  EXPECT_THROW(metrics.histogram("h", "H.", count_buckets()), Error);
  EXPECT_THROW(metrics.counter("0a", "A."), Error);
  EXPECT_THROW(metrics.counter("b", "B.", {{"a-b", "c"}}), Error);
  const std::array<double, 2> falling = {2, 1};
  EXPECT_THROW(metrics.histogram("i", "I.", falling), Error);
}

TEST(Metrics, TheSameLabelsAreTheSameSeries) {
  Metrics metrics;
  EXPECT_EQ(&metrics.counter("a", "A.", {{"b", "c"}}), &metrics.counter("a", "A.", {{"b", "c"}}));
  EXPECT_NE(&metrics.counter("a", "A.", {{"b", "c"}}), &metrics.counter("a", "A.", {{"b", "d"}}));
}

TEST(Metrics, ThreadsLoseNoEvent) {
  Metrics metrics;
  Counter& counter = metrics.counter("a", "A.");
  Histogram& histogram = metrics.histogram("h", "H.", count_buckets());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 10000; ++k) {
        counter.add();
        histogram.observe(k % 7);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40000);
  EXPECT_EQ(histogram.count(), 40000);
}

TEST(Metrics, AQuantileLiesInItsBucket) {
  Histogram histogram(count_buckets());
  EXPECT_EQ(histogram.quantile(0.5), 0);
  for (int i = 0; i < 100; ++i) histogram.observe(3);
  EXPECT_GT(histogram.quantile(0.5), 2);
  EXPECT_LE(histogram.quantile(0.99), 4);
}

TEST(Metrics, TheBucketsAreThoseOfTextEmbeddingsInference) {
  ASSERT_EQ(seconds_buckets().size(), 35);
  EXPECT_DOUBLE_EQ(seconds_buckets()[0], 1e-5);
  EXPECT_DOUBLE_EQ(seconds_buckets()[34], 1e-5 * std::pow(1.5, 34));
}

TEST(Metrics, TheProcessIsMeasured) {
  Metrics metrics;
  add_process_metrics(metrics);
  const std::string text = metrics.text();
  for (const char* name : {"process_cpu_seconds_total ", "process_resident_memory_bytes ",
                           "process_open_fds ", "process_max_fds ", "process_threads "}) {
    const size_t at = text.find("\n" + std::string(name));
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GT(std::stod(text.substr(at + 1 + std::string(name).size())), 0) << name;
  }
}

}  // namespace
}  // namespace bertha::serve
