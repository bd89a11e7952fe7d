#pragma once

// What the server's routes call: a function for each task, without HTTP and JSON. A request is
// tokenized on the caller's thread, admitted or refused there, and computed on a lane's thread.
// A value that a caller may leave out has the default of bertha's own commands.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "infer/pipeline_tag.h"
#include "serve/serve_error.h"

namespace bertha::serve {

enum class Task : uint8_t {
  kAnswer,    ///< extractive question answering
  kFill,      ///< masked language modelling
  kEmbed,     ///< texts to vectors
  kClassify,  ///< texts or pairs of texts to labels
  kRerank,    ///< a classifier of pairs with one output: how well a text fits a query
  kTag        ///< a label for each token: named entities
};

enum class Priority : uint8_t { kInteractive, kBatch };

/// What every request brings along.
struct RequestContext {
  std::chrono::steady_clock::time_point arrival = std::chrono::steady_clock::now();
  /// What no lane has begun by then is not computed: the request gets ErrorKind::kDeadline.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  Priority priority = Priority::kInteractive;
  /// True: the client went away, and what was not computed is left out. May be null.
  std::shared_ptr<const std::atomic<bool>> cancelled{};
};

/// What a request took.
struct Work {
  int64_t characters = 0;  ///< code points of all texts
  int64_t tokens = 0;      ///< computed, special tokens included
  int64_t windows = 0;     ///< sequences that ran through the model
  int64_t truncated = 0;   ///< texts of which tokens were cut off
  std::chrono::microseconds tokenize{0};
  std::chrono::microseconds queue{0};    ///< from admission to the first window's batch
  std::chrono::microseconds compute{0};  ///< from there to the last result
};

/// The unit of places in a text.
enum class OffsetUnit : uint8_t { kCharacters, kBytes, kUtf16 };

/// What happens to a text that is too long.
struct Truncation {
  bool allowed = true;     ///< false: ErrorKind::kTooLong
  bool from_left = false;  ///< cut the start of the text, not its end
  int64_t max_tokens = 0;  ///< special tokens included; 0: as the model's folder says
};

/// A text, or the ids of its tokens without special tokens.
using TextInput = std::variant<std::string, std::vector<int32_t>>;

// --- Question answering --------------------------------------------------------------------------

struct AnswerRequest {
  std::vector<std::string> questions;
  std::string passage;
  int64_t top = 1;        ///< answers for each question, 1 to 20
  bool no_answer = true;  ///< "there is no answer" is a candidate
  int64_t max_answer_tokens = 30;
  int64_t window_tokens = 0;  ///< 0: 384, or what the model takes
  int64_t window_step = 128;  ///< tokens from the start of a window to that of the next
  OffsetUnit offsets = OffsetUnit::kCharacters;
};

struct AnswerSpan {
  std::string text{};
  double confidence = 0;  ///< probability among the 20 best answers
  double score = 0;       ///< sum of the start's and the end's logit
  int64_t begin = 0;      ///< place in the passage
  int64_t end = 0;        ///< one past the last
};

struct QuestionAnswer {
  std::vector<AnswerSpan> best{};   ///< best first, without "there is no answer"
  bool no_answer = false;           ///< "there is no answer" is more probable than best[0]
  double no_answer_confidence = 0;  ///< 0 where it is no candidate
  int64_t windows = 0;
  bool question_truncated = false;
};

struct AnswerResult {
  std::vector<QuestionAnswer> answers{};  ///< of each question
  Work work{};
};

/// Question answering as the pipeline of transformers 4 computes it: score is the product of the
/// probabilities of start and end in a window; the stride is an overlap.
struct PipelineAnswerRequest {
  std::string question;
  std::string passage;
  int64_t top = 1;
  int64_t max_answer_tokens = 15;
  int64_t max_question_tokens = 64;
  int64_t window_tokens = 0;         ///< 0: 384, or what the model takes
  std::optional<int64_t> overlap{};  ///< default: 128, or half a window
  bool no_answer = false;            ///< `handle_impossible_answer`
  bool align_to_words = true;
  OffsetUnit offsets = OffsetUnit::kCharacters;
};

struct PipelineAnswer {
  std::string text{};  ///< empty: there is no answer; then begin = end = 0
  double score = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

struct PipelineAnswerResult {
  std::vector<PipelineAnswer> best{};  ///< best first, at most `top`
  Work work{};
};

// --- Filling masks -------------------------------------------------------------------------------

struct FillRequest {
  std::vector<std::string> texts;      ///< each with at least one [MASK]
  int64_t top = 5;                     ///< candidates for each mask
  std::vector<std::string> targets{};  ///< only these pieces are candidates; empty: all
};

struct FillCandidate {
  int32_t id = 0;
  std::string piece{};
  double probability = 0;
  std::string filled{};    ///< the text with the piece in the place of this mask
  std::string sequence{};  ///< the tokens with the piece, decoded: `sequence` of transformers
};

struct FillResult {
  /// [text][mask][rank], most probable first.
  std::vector<std::vector<std::vector<FillCandidate>>> texts{};
  Work work{};
};

// --- Vectors -------------------------------------------------------------------------------------

struct EmbedRequest {
  std::vector<TextInput> inputs;
  std::optional<bool> normalize{};           ///< default: as the model's folder says
  std::optional<int64_t> dimensions{};       ///< keep the first elements, before normalization
  std::optional<std::string> prompt_name{};  ///< a name of ModelInfo::prompts
  Truncation truncation{};
  bool all_tokens = false;  ///< a vector for each token, neither pooled nor normalized
};

struct Embedding {
  std::vector<float> values{};  ///< [rows, width]
  int64_t rows = 1;             ///< tokens where all_tokens asks for them
  int64_t width = 0;
  int64_t tokens = 0;  ///< computed, special tokens included
  bool truncated = false;
};

struct EmbedResult {
  std::vector<Embedding> embeddings{};  ///< of each input
  Work work{};
};

struct SimilarityRequest {
  std::string source;
  std::vector<std::string> sentences;
  std::optional<std::string> prompt_name{};
  Truncation truncation{};
};

struct SimilarityResult {
  std::vector<float> cosines{};  ///< of each sentence
  Work work{};
};

// --- Classification ------------------------------------------------------------------------------

struct ClassifyInput {
  std::string text;
  std::optional<std::string> pair{};
};

/// From logits to scores.
enum class Activation : uint8_t {
  kModel,  ///< as ModelInfo::problem says: softmax, a sigmoid each, or none
  kNone,
  kSoftmax,
  kSigmoid
};

struct ClassifyRequest {
  std::vector<ClassifyInput> inputs;
  Activation activation = Activation::kModel;
  Truncation truncation{};
};

struct ClassifyResult {
  /// [input][class], classes in the order of ModelInfo::labels.
  std::vector<std::vector<double>> scores{};
  Work work{};
};

struct RerankRequest {
  std::string query;
  std::vector<std::string> documents;
  bool raw_scores = false;  ///< the logit instead of its sigmoid
  Truncation truncation{};
};

struct RerankResult {
  std::vector<double> scores{};  ///< of each document, in their order
  Work work{};
};

// --- Token classification ------------------------------------------------------------------------

/// Token classification as the pipeline of transformers computes it (infer/pipeline_tag.h).
struct PipelineTagRequest {
  std::vector<std::string> texts;
  infer::TagAggregation aggregation = infer::TagAggregation::kNone;
  std::vector<std::string> ignored = {"O"};  ///< labels, or types of groups, that are left out
  std::optional<int64_t> overlap{};          ///< nothing: a text that is too long is cut
};

struct PipelineTagResult {
  std::vector<std::vector<infer::TaggedSpan>> texts{};  ///< of each text, in its order
  Work work{};
};

// --- Tokens --------------------------------------------------------------------------------------

struct TokenizeRequest {
  std::vector<std::string> texts;
  bool special_tokens = true;
  std::optional<std::string> prompt_name{};
  OffsetUnit offsets = OffsetUnit::kCharacters;
};

struct TokenPlace {
  int32_t id = 0;
  std::string piece{};   ///< as the vocabulary has it
  bool special = false;  ///< added by the template; begin and end are 0
  int64_t begin = 0;
  int64_t end = 0;
};

struct TokenizeResult {
  std::vector<std::vector<TokenPlace>> texts{};
};

struct DecodeRequest {
  std::vector<std::vector<int32_t>> ids;
  bool skip_special_tokens = true;
};

struct DecodeResult {
  std::vector<std::string> texts{};
};

// --- The service ---------------------------------------------------------------------------------

enum class Problem : uint8_t { kSingleLabel, kMultiLabel, kRegression };

/// A model as routes show it.
struct ModelInfo {
  std::string name;
  Task task = Task::kEmbed;
  std::string folder{};
  std::string compute{};   ///< "float32", "bfloat16" or "int8"
  int64_t max_tokens = 0;  ///< of a text, special tokens included
  int64_t hidden_size = 0;
  int64_t vocabulary_size = 0;
  int64_t vector_size = 0;                       ///< kEmbed
  std::string pooling{};                         ///< kEmbed: "mean", "cls", …
  std::map<std::string, std::string> prompts{};  ///< kEmbed
  std::vector<std::string> labels{};             ///< kClassify, kRerank, kTag
  Problem problem = Problem::kSingleLabel;       ///< kClassify
  std::string mask_token{};                      ///< kFill
};

enum class ServiceState : uint8_t {
  kLoading,
  kReady,
  kDraining,  ///< finishes what was admitted and refuses the rest
  kFailed     ///< a model could not be loaded, or a lane hangs
};

/// Limits that requests meet before they are queued.
struct ServiceLimits {
  int64_t max_texts = 2048;           ///< of a request
  int64_t max_windows = 4096;         ///< of a request
  int64_t max_queue_requests = 4096;  ///< that wait or run
  int64_t max_queue_tokens = 1 << 22;
  std::chrono::milliseconds max_queue_time{
      2000};  ///< predicted wait above which requests are refused
};

/// Figures for metrics and the page, at one moment.
struct ServiceStats {
  int64_t queued_requests = 0;
  int64_t queued_windows = 0;
  int64_t queued_tokens = 0;
  double predicted_wait_seconds = 0;
  double tokens_per_second = 0;  ///< measured, over the last batches
  int64_t lanes = 0;
  double lane_busy_seconds = 0;  ///< of all lanes since the start
  int64_t batches = 0;
  int64_t batch_tokens_total = 0;
  int64_t batch_windows_total = 0;
  int64_t last_batch_windows = 0;
  int64_t last_batch_tokens = 0;
  int64_t max_batch_tokens = 0;  ///< the budget of the default model
  int64_t admitted = 0;          ///< requests
  int64_t completed = 0;
  int64_t refused_overloaded = 0;
  int64_t expired = 0;
  int64_t cancelled = 0;
  int64_t failed = 0;
  std::chrono::milliseconds longest_batch_age{0};  ///< how long the oldest running batch runs
};

/// The models of a server. All functions may be called from several threads. `model` is a name, or
/// empty for the first model that does the task. A callback may run before the call returns, when
/// the request is refused.
class InferenceService {
 public:
  InferenceService() = default;
  InferenceService(const InferenceService&) = delete;
  InferenceService& operator=(const InferenceService&) = delete;
  virtual ~InferenceService() = default;

  virtual void answer(const std::string& model, AnswerRequest request, RequestContext context,
                      Callback<AnswerResult> done) = 0;
  virtual void pipeline_answer(const std::string& model, PipelineAnswerRequest request,
                               RequestContext context, Callback<PipelineAnswerResult> done) = 0;
  virtual void fill(const std::string& model, FillRequest request, RequestContext context,
                    Callback<FillResult> done) = 0;
  virtual void embed(const std::string& model, EmbedRequest request, RequestContext context,
                     Callback<EmbedResult> done) = 0;
  virtual void similarity(const std::string& model, SimilarityRequest request,
                          RequestContext context, Callback<SimilarityResult> done) = 0;
  /// A model of kRerank classifies, too.
  virtual void classify(const std::string& model, ClassifyRequest request, RequestContext context,
                        Callback<ClassifyResult> done) = 0;
  virtual void rerank(const std::string& model, RerankRequest request, RequestContext context,
                      Callback<RerankResult> done) = 0;
  virtual void pipeline_tag(const std::string& model, PipelineTagRequest request,
                            RequestContext context, Callback<PipelineTagResult> done) = 0;

  /// Any model; empty: the first.
  virtual Result<TokenizeResult> tokenize(const std::string& model,
                                          const TokenizeRequest& request) const = 0;
  virtual Result<DecodeResult> decode(const std::string& model,
                                      const DecodeRequest& request) const = 0;

  /// In the order of the command line; empty until they are loaded.
  virtual std::vector<ModelInfo> models() const = 0;
  virtual ServiceState state() const = 0;
  /// Why the state is kFailed.
  virtual std::string failure() const = 0;
  virtual ServiceLimits limits() const = 0;
  virtual ServiceStats stats() const = 0;
};

}  // namespace bertha::serve
