#include "serve/routes/task_metrics.h"

#include <functional>
#include <string>

namespace bertha::serve {
namespace {

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// The tasks as the names of metrics have them.
constexpr std::array<const char*, 6> kNames = {"answer",  "fill",   "embed",
                                               "predict", "rerank", "tag"};

const char* failure_label(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kTooLong:
      return "validation";
    case ErrorKind::kEmpty:
      return "missing_values";
    case ErrorKind::kTooLarge:
      return "batch_size";
    case ErrorKind::kUnknownModel:
    case ErrorKind::kWrongTask:
      return "model_type";
    case ErrorKind::kOverloaded:
    case ErrorKind::kLoading:
    case ErrorKind::kDraining:
      return "overloaded";
    case ErrorKind::kDeadline:
      return "deadline";
    case ErrorKind::kCancelled:
      return "dropped";
    case ErrorKind::kInternal:
      break;
  }
  return "inference";
}

}  // namespace

TaskMetrics::TaskMetrics(Metrics& metrics, const InferenceService& service)
    : metrics_(metrics),
      duration_(metrics.histogram("te_request_duration", "Seconds from arrival to answer",
                                  seconds_buckets())),
      tokenization_(metrics.histogram("te_request_tokenization_duration",
                                      "Seconds of tokenizing a request", seconds_buckets())),
      queue_(metrics.histogram("te_request_queue_duration",
                               "Seconds from admission to the first batch", seconds_buckets())),
      inference_(metrics.histogram("te_request_inference_duration",
                                   "Seconds from the first batch to the last result",
                                   seconds_buckets())),
      input_length_(
          metrics.histogram("te_request_input_length", "Tokens of a request", count_buckets())) {
  for (size_t i = 0; i < 2; ++i) {
    const Metrics::Labels labels = {{"method", i == 0 ? "single" : "batch"}};
    count_[i] = &metrics.counter("te_request_count", "Requests to a model", labels);
    success_[i] = &metrics.counter("te_request_success", "Requests answered with a result", labels);
  }
  for (size_t i = 0; i < kTasks; ++i) {
    const std::string name = std::string("te_") + kNames[i];
    tasks_[i].count = &metrics.counter(name + "_count", "Requests of this task");
    tasks_[i].success = &metrics.counter(name + "_success", "Requests of this task with a result");
    tasks_[i].duration =
        &metrics.histogram(name + "_duration", "Seconds from arrival to answer", seconds_buckets());
  }
  for (size_t i = 0; i < failures_.size(); ++i) {
    failures_[i] = &metrics.counter("te_request_failure", "Requests without a result",
                                    {{"err", failure_label(static_cast<ErrorKind>(i))}});
  }
  add_service_figures(service);
}

void TaskMetrics::add_service_figures(const InferenceService& service) {
  const auto gauge = [&](const char* name, const char* help, auto figure) {
    metrics_.gauge_of(name, help,
                      [&service, figure] { return static_cast<double>(figure(service.stats())); });
  };
  const auto counter = [&](const char* name, const char* help, auto figure) {
    metrics_.counter_of(
        name, help, [&service, figure] { return static_cast<double>(figure(service.stats())); });
  };
  using Stats = const ServiceStats&;
  gauge("te_queue_size", "Requests that wait", [](Stats s) { return s.queued_requests; });
  gauge("te_batch_next_size", "Windows of the last batch",
        [](Stats s) { return s.last_batch_windows; });
  gauge("te_batch_next_tokens", "Tokens of the last batch",
        [](Stats s) { return s.last_batch_tokens; });
  gauge("bertha_queue_windows", "Windows that wait", [](Stats s) { return s.queued_windows; });
  gauge("bertha_queue_tokens", "Tokens that wait", [](Stats s) { return s.queued_tokens; });
  gauge("bertha_queue_wait_predicted_seconds", "How long a new request would wait",
        [](Stats s) { return s.predicted_wait_seconds; });
  gauge("bertha_tokens_per_second", "Speed over the last batches",
        [](Stats s) { return s.tokens_per_second; });
  gauge("bertha_lanes", "Threads that compute batches", [](Stats s) { return s.lanes; });
  gauge("bertha_max_batch_tokens", "Token budget of a batch",
        [](Stats s) { return s.max_batch_tokens; });
  gauge("bertha_longest_batch_seconds", "Age of the oldest batch in progress",
        [](Stats s) { return seconds(s.longest_batch_age); });
  counter("bertha_lane_busy_seconds_total", "Seconds that lanes computed",
          [](Stats s) { return s.lane_busy_seconds; });
  counter("bertha_batches_total", "Batches computed", [](Stats s) { return s.batches; });
  counter("bertha_batch_tokens_total", "Tokens of all batches",
          [](Stats s) { return s.batch_tokens_total; });
  counter("bertha_batch_windows_total", "Windows of all batches",
          [](Stats s) { return s.batch_windows_total; });
  counter("bertha_admitted_total", "Requests admitted", [](Stats s) { return s.admitted; });
  counter("bertha_completed_total", "Requests completed", [](Stats s) { return s.completed; });
  counter("bertha_refused_total", "Requests refused because the queue was too long",
          [](Stats s) { return s.refused_overloaded; });
  counter("bertha_expired_total", "Requests whose deadline passed in the queue",
          [](Stats s) { return s.expired; });
  counter("bertha_cancelled_total", "Requests whose client went away",
          [](Stats s) { return s.cancelled; });
  counter("bertha_failed_total", "Requests that failed inside", [](Stats s) { return s.failed; });
}

void TaskMetrics::begun(Task task, bool batch) {
  count_[batch ? 1 : 0]->add();
  tasks_[static_cast<size_t>(task)].count->add();
}

void TaskMetrics::succeeded(Task task, bool batch, const Work& work,
                            std::chrono::nanoseconds total) {
  success_[batch ? 1 : 0]->add();
  const OfTask& of = tasks_[static_cast<size_t>(task)];
  of.success->add();
  of.duration->observe(seconds(total));
  duration_.observe(seconds(total));
  tokenization_.observe(seconds(work.tokenize));
  queue_.observe(seconds(work.queue));
  inference_.observe(seconds(work.compute));
  input_length_.observe(static_cast<double>(work.tokens));
}

void TaskMetrics::failed(ErrorKind kind) {
  failures_[static_cast<size_t>(kind)]->add();
}

}  // namespace bertha::serve
