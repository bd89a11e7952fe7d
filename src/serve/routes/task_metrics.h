#pragma once

// The metrics of the work, with the names that text-embeddings-inference gives them, and the
// figures of the queue and the lanes.

#include <array>
#include <chrono>
#include <cstdint>

#include "serve/inference_service.h"
#include "serve/metrics.h"
#include "serve/serve_error.h"

namespace bertha::serve {

class TaskMetrics {
 public:
  /// Makes all series. Both outlive this object; the registry reads the service's figures whenever
  /// its text is made, so the service outlives the registry's last text, too.
  TaskMetrics(Metrics& metrics, const InferenceService& service);

  void begun(Task task, bool batch);
  void succeeded(Task task, bool batch, const Work& work, std::chrono::nanoseconds total);
  void failed(ErrorKind kind);
  std::string text() const { return metrics_.text(); }

 private:
  static constexpr size_t kTasks = 6;
  struct OfTask {
    Counter* count = nullptr;
    Counter* success = nullptr;
    Histogram* duration = nullptr;
  };

  void add_service_figures(const InferenceService& service);

  Metrics& metrics_;
  std::array<OfTask, kTasks> tasks_;
  std::array<Counter*, 2> count_{};      ///< single, batch
  std::array<Counter*, 2> success_{};    ///< single, batch
  std::array<Counter*, 12> failures_{};  ///< of each ErrorKind; several share a series
  Histogram& duration_;
  Histogram& tokenization_;
  Histogram& queue_;
  Histogram& inference_;
  Histogram& input_length_;
};

}  // namespace bertha::serve
