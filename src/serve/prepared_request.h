#pragma once

// A request for a model, tokenized: the windows that a lane runs, and what makes the result of
// theirs. Preparing throws RequestError for a request that the model cannot take.

#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include "infer/window_job.h"
#include "serve/inference_service.h"
#include "serve/served_model.h"

namespace bertha::serve {

/// A request that gets an error for an answer.
class RequestError : public std::runtime_error {
 public:
  explicit RequestError(ServeError error)
      : std::runtime_error(error.message), error_(std::move(error)) {}
  const ServeError& error() const { return error_; }

 private:
  ServeError error_;
};

template <typename T>
struct PreparedRequest {
  std::shared_ptr<infer::WindowJob> job{};
  Work work{};
  /// Called once, when all windows have their results. It may throw.
  std::function<T()> finish{};
};

PreparedRequest<AnswerResult> prepare(const ServedModel& model, AnswerRequest request,
                                      const ServiceLimits& limits);
PreparedRequest<PipelineAnswerResult> prepare(const ServedModel& model,
                                              PipelineAnswerRequest request,
                                              const ServiceLimits& limits);
PreparedRequest<FillResult> prepare(const ServedModel& model, FillRequest request,
                                    const ServiceLimits& limits);
PreparedRequest<EmbedResult> prepare(const ServedModel& model, EmbedRequest request,
                                     const ServiceLimits& limits);
PreparedRequest<SimilarityResult> prepare(const ServedModel& model, SimilarityRequest request,
                                          const ServiceLimits& limits);
PreparedRequest<ClassifyResult> prepare(const ServedModel& model, ClassifyRequest request,
                                        const ServiceLimits& limits);
PreparedRequest<RerankResult> prepare(const ServedModel& model, RerankRequest request,
                                      const ServiceLimits& limits);
PreparedRequest<PipelineTagResult> prepare(const ServedModel& model, PipelineTagRequest request,
                                           const ServiceLimits& limits);

/// Throws RequestError for a prompt that the model does not have, and for unknown ids.
TokenizeResult tokenize(const ServedModel& model, const TokenizeRequest& request);
DecodeResult decode(const ServedModel& model, const DecodeRequest& request);

}  // namespace bertha::serve
