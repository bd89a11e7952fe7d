// Labels of tokens, as the pipeline of transformers gives them.

#include "core/utf8.h"
#include "infer/pipeline_tag.h"
#include "serve/prepared_request.h"
#include "serve/request_checks.h"

namespace bertha::serve {
namespace {

/// A request and its windows, which refer to the request's texts and the model's labels.
struct TagWork {
  TagWork(const ServedModel& model, PipelineTagRequest from, const ServiceLimits& limits)
      : request(std::move(from)),
        job(request.texts, model.tokenizer(), model.info().labels,
            {.window_tokens = model.info().max_tokens,
             .overlap = request.overlap,
             .aggregation = request.aggregation,
             .ignored = request.ignored,
             .max_windows = limits.max_windows}) {}

  PipelineTagResult result() const {
    PipelineTagResult result = {.texts = job.results()};
    for (const auto& spans : result.texts) {
      for (const infer::TaggedSpan& span : spans) check_finite(span.score);
    }
    return result;
  }

  PipelineTagRequest request;
  infer::PipelineTagJob job;
};

}  // namespace

PreparedRequest<PipelineTagResult> prepare(const ServedModel& model, PipelineTagRequest request,
                                           const ServiceLimits& limits) {
  check_count("inputs", request.texts.size(), limits);
  if (request.overlap) check_range("stride", *request.overlap, 0, model.info().max_tokens);
  PreparedRequest<PipelineTagResult> prepared;
  for (const std::string& text : request.texts) {
    if (text.empty()) refuse(ErrorKind::kEmpty, "inputs", "a text is empty");
    prepared.work.characters += count_code_points(text);
  }
  const auto work = checked(
      "inputs", [&] { return std::make_shared<TagWork>(model, std::move(request), limits); });
  prepared.work.truncated = work->job.cut_texts();
  prepared.job = std::shared_ptr<infer::WindowJob>(work, &work->job);
  prepared.finish = [work] { return work->result(); };
  return prepared;
}

}  // namespace bertha::serve
