#include "serve/model_service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "core/allowed_threads.h"
#include "core/error.h"
#include "core/strings.h"
#include "serve/model_lane.h"
#include "serve/prepared_request.h"
#include "serve/request_checks.h"
#include "serve/served_model.h"
#include "serve/serving_lanes.h"

namespace bertha::serve {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRetryLoading{2000};

/// As routes show it.
const char* compute_name(const infer::Arithmetic& arithmetic) {
  if (arithmetic.products == bert::Products::kInt8) return "int8";
  return arithmetic.compute == DType::kBF16 ? "bfloat16" : "float32";
}

/// The error of a request that a lane did not finish.
ServeError error_of(const RequestEnd& end) {
  switch (end.outcome) {
    case Outcome::kExpired:
      return {.kind = ErrorKind::kDeadline,
              .message = "the deadline of the request passed while it waited"};
    case Outcome::kCancelled:
      return {.kind = ErrorKind::kCancelled, .message = "the client went away"};
    case Outcome::kStopped:
      return {.kind = ErrorKind::kDraining, .message = "the server ends"};
    case Outcome::kFailed:
    case Outcome::kDone:
      break;
  }
  return {.kind = ErrorKind::kInternal, .message = "the model failed"};
}

/// Calls `make` and turns what it throws into an error. The text of a defect goes to the log alone.
template <typename T, typename Make>
Result<T> guarded(const Make& make) {
  try {
    return make();
  } catch (const RequestError& error) {
    return error.error();
  } catch (const std::bad_alloc&) {
    spdlog::error("a request ran out of memory");
    return ServeError{.kind = ErrorKind::kInternal, .message = "out of memory"};
  } catch (const std::exception& error) {
    spdlog::error("a request failed: {}", error.what());
    return ServeError{.kind = ErrorKind::kInternal, .message = "the server failed"};
  }
}

class Service final : public ModelService {
 public:
  explicit Service(ModelServiceOptions options) : options_(std::move(options)) {}
  ~Service() override { lanes_.reset(); }

  void load() override;
  void begin_drain() override { draining_ = true; }
  bool wait_drained(TimePoint deadline) override {
    return lanes_ == nullptr || lanes_->wait_idle(deadline);
  }

  void answer(const std::string& model, AnswerRequest request, RequestContext context,
              Callback<AnswerResult> done) override {
    submit(model, {Task::kAnswer}, std::move(request), context, std::move(done));
  }
  void pipeline_answer(const std::string& model, PipelineAnswerRequest request,
                       RequestContext context, Callback<PipelineAnswerResult> done) override {
    submit(model, {Task::kAnswer}, std::move(request), context, std::move(done));
  }
  void fill(const std::string& model, FillRequest request, RequestContext context,
            Callback<FillResult> done) override {
    submit(model, {Task::kFill}, std::move(request), context, std::move(done));
  }
  void embed(const std::string& model, EmbedRequest request, RequestContext context,
             Callback<EmbedResult> done) override {
    submit(model, {Task::kEmbed}, std::move(request), context, std::move(done));
  }
  void similarity(const std::string& model, SimilarityRequest request, RequestContext context,
                  Callback<SimilarityResult> done) override {
    submit(model, {Task::kEmbed}, std::move(request), context, std::move(done));
  }
  void classify(const std::string& model, ClassifyRequest request, RequestContext context,
                Callback<ClassifyResult> done) override {
    submit(model, {Task::kClassify, Task::kRerank}, std::move(request), context, std::move(done));
  }
  void rerank(const std::string& model, RerankRequest request, RequestContext context,
              Callback<RerankResult> done) override {
    submit(model, {Task::kRerank}, std::move(request), context, std::move(done));
  }
  void pipeline_tag(const std::string& model, PipelineTagRequest request, RequestContext context,
                    Callback<PipelineTagResult> done) override {
    submit(model, {Task::kTag}, std::move(request), context, std::move(done));
  }

  Result<TokenizeResult> tokenize(const std::string& model,
                                  const TokenizeRequest& request) const override {
    return guarded<TokenizeResult>(
        [&] { return serve::tokenize(*models_[find(model, {})], request); });
  }
  Result<DecodeResult> decode(const std::string& model,
                              const DecodeRequest& request) const override {
    return guarded<DecodeResult>([&] { return serve::decode(*models_[find(model, {})], request); });
  }

  std::vector<ModelInfo> models() const override;
  ServiceState state() const override;
  std::string failure() const override {
    const std::lock_guard lock(failure_mutex_);
    return failure_;
  }
  ServiceLimits limits() const override { return options_.limits; }
  ServiceStats stats() const override;

 private:
  size_t find(const std::string& name, std::initializer_list<Task> tasks) const;
  void check_open() const;
  void load_models();
  template <typename Request, typename T>
  void submit(const std::string& name, std::initializer_list<Task> tasks, Request request,
              const RequestContext& context, Callback<T> done);
  template <typename T>
  std::optional<ServeError> queue(size_t model, PreparedRequest<T> prepared,
                                  const RequestContext& context, Callback<T> done);

  ModelServiceOptions options_;
  std::vector<std::shared_ptr<const ServedModel>> models_;
  std::vector<ModelInfo> infos_;
  std::unique_ptr<Lanes> lanes_;
  std::atomic<bool> ready_ = false;  ///< models_, infos_ and lanes_ are there and stay as they are
  std::atomic<bool> draining_ = false;
  mutable std::mutex failure_mutex_;
  std::string failure_;
};

void Service::load() {
  try {
    load_models();
  } catch (const std::exception& error) {
    const std::lock_guard lock(failure_mutex_);
    failure_ = error.what();
    throw;
  }
}

void Service::load_models() {
  BERTHA_CHECK(!ready_);
  for (const ModelSpec& spec : options_.models) {
    models_.push_back(std::make_shared<const ServedModel>(spec));
  }
  const int64_t threads = std::max<int64_t>(allowed_threads().count() / options_.lanes, 1);
  std::atomic<const char*> compute = "";
  lanes_ = std::make_unique<Lanes>(
      options_.lanes,
      [&](int64_t) {
        auto lane = std::make_unique<ModelLane>(models_, options_, threads);
        compute = compute_name(lane->arithmetic());
        return lane;
      },
      options_.limits);
  for (const auto& model : models_) {
    infos_.push_back(model->info());
    infos_.back().compute = compute;
  }
  ready_ = true;
}

void Service::check_open() const {
  if (!ready_) {
    throw RequestError({.kind = ErrorKind::kLoading,
                        .message = "the models are being loaded",
                        .retry_after = kRetryLoading});
  }
  if (draining_) {
    throw RequestError({.kind = ErrorKind::kDraining, .message = "the server ends"});
  }
}

size_t Service::find(const std::string& name, std::initializer_list<Task> tasks) const {
  check_open();
  const auto does = [&](const ModelInfo& info) {
    return tasks.size() == 0 || std::ranges::find(tasks, info.task) != tasks.end();
  };
  std::vector<std::string> fitting;
  std::vector<std::string> all;
  for (size_t i = 0; i < infos_.size(); ++i) {
    const bool wanted = name.empty() || infos_[i].name == name;
    if (wanted && does(infos_[i])) return i;
    all.push_back(infos_[i].name);
    if (does(infos_[i])) fitting.push_back(infos_[i].name);
  }
  const bool known = name.empty() || std::ranges::find(all, name) != all.end();
  if (!known) {
    refuse(ErrorKind::kUnknownModel, "model",
           fmt::format("no model \"{}\"; the models are {}", name, join(all, ", ")));
  }
  const std::string task(task_name(*tasks.begin()));
  refuse(ErrorKind::kWrongTask, "model",
         fmt::format("{} for the task {}; {}",
                     name.empty() ? "no model is loaded" : "model " + name + " is not", task,
                     fitting.empty() ? "start the server with one" : join(fitting, ", ") + " is"));
}

template <typename Request, typename T>
void Service::submit(const std::string& name, std::initializer_list<Task> tasks, Request request,
                     const RequestContext& context, Callback<T> done) {
  // The callback is called outside of what catches, so that it is called once.
  std::optional<ServeError> refused;
  const Result<bool> made = guarded<bool>([&] {
    const size_t model = find(name, tasks);
    const auto begin = steady_clock::now();
    PreparedRequest<T> prepared = prepare(*models_[model], std::move(request), options_.limits);
    prepared.work.tokenize = duration_cast<microseconds>(steady_clock::now() - begin);
    refused = queue(model, std::move(prepared), context, done);
    return true;
  });
  if (!made.ok()) refused = made.error();
  if (refused) done(*std::move(refused));
}

template <typename T>
std::optional<ServeError> Service::queue(size_t model, PreparedRequest<T> prepared,
                                         const RequestContext& context, Callback<T> done) {
  Work& work = prepared.work;
  work.windows = prepared.job->windows();
  for (int64_t i = 0; i < work.windows; ++i) work.tokens += prepared.job->size(i).tokens;
  LaneRequest request = {.model = model,
                         .job = std::move(prepared.job),
                         .priority = context.priority,
                         .deadline = context.deadline,
                         .cancelled = context.cancelled};
  request.done = [work, finish = std::move(prepared.finish),
                  done = std::move(done)](const RequestEnd& end) {
    if (end.outcome == Outcome::kFailed) spdlog::error("a batch failed: {}", end.message);
    if (end.outcome != Outcome::kDone) return done(error_of(end));
    Result<T> result = guarded<T>(finish);
    if (result.ok()) {
      result.value().work = work;
      result.value().work.queue = end.queue;
      result.value().work.compute = end.compute;
    }
    done(std::move(result));
  };
  return lanes_->submit(std::move(request));
}

std::vector<ModelInfo> Service::models() const {
  return ready_ ? infos_ : std::vector<ModelInfo>();
}

ServiceState Service::state() const {
  constexpr std::chrono::seconds kHanging{60};
  if (!failure().empty()) return ServiceState::kFailed;
  if (!ready_) return ServiceState::kLoading;
  if (stats().longest_batch_age > kHanging) return ServiceState::kFailed;
  return draining_ ? ServiceState::kDraining : ServiceState::kReady;
}

ServiceStats Service::stats() const {
  ServiceStats stats;
  if (ready_) lanes_->add_to(stats);
  return stats;
}

void check(const ModelServiceOptions& options) {
  if (options.models.empty()) fail("no model to serve; name one with --model NAME=FOLDER");
  if (options.lanes < 1 || options.lanes > 64) {
    fail("--lanes {}: expected 1 to 64", options.lanes);
  }
  if (options.max_batch_tokens < 0 || options.max_batch_tokens > (int64_t{1} << 20)) {
    fail("--max-batch-tokens {}: expected 0 to {}", options.max_batch_tokens, int64_t{1} << 20);
  }
  for (auto model = options.models.begin(); model != options.models.end(); ++model) {
    const auto same =
        std::ranges::find(std::next(model), options.models.end(), model->name, &ModelSpec::name);
    if (same != options.models.end()) {
      fail("two models have the name {}: {} and {}", model->name, model->folder, same->folder);
    }
  }
}

}  // namespace

std::unique_ptr<ModelService> make_model_service(ModelServiceOptions options) {
  check(options);
  return std::make_unique<Service>(std::move(options));
}

}  // namespace bertha::serve
