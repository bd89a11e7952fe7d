#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "serve/routes/json_schema.h"
#include "serve/routes/label_scores.h"
#include "serve/routes/rank_texts.h"
#include "serve/routes/request_texts.h"
#include "serve/routes/route_lists.h"
#include "serve/routes/sentence_similarity.h"

namespace bertha::serve {
namespace {

// --- question-answering ---

struct QuestionFields {
  std::string question;
  std::string context;

  static FieldTable<QuestionFields> fields() {
    FieldTable<QuestionFields> table;
    table.required("question", &QuestionFields::question, "The question")
        .required("context", &QuestionFields::context, "The text that holds the answer");
    return table;
  }
};

struct QuestionParameters {
  int64_t top_k = 1;
  std::optional<int64_t> doc_stride;
  int64_t max_answer_len = 15;
  int64_t max_seq_len = 0;
  int64_t max_question_len = 64;
  bool handle_impossible_answer = false;
  bool align_to_words = true;

  static FieldTable<QuestionParameters> fields() {
    using Q = QuestionParameters;
    FieldTable<Q> table;
    table.optional("top_k", &Q::top_k, "Answers at most; more than one makes the answer a list")
        .within(1, 1000)
        .optional("doc_stride", &Q::doc_stride,
                  "Tokens that two windows share; default: 128, or half a window")
        .within(0, 1 << 20)
        .optional("max_answer_len", &Q::max_answer_len, "Tokens of an answer at most")
        .within(1, 512)
        .optional("max_seq_len", &Q::max_seq_len,
                  "Tokens of a window, the question included; 0: 384, or what the model takes")
        .within(0, 1 << 20)
        .optional("max_question_len", &Q::max_question_len, "Tokens of the question at most")
        .within(1, 1 << 20)
        .optional("handle_impossible_answer", &Q::handle_impossible_answer,
                  "Whether \"the context has no answer\" may win")
        .optional("align_to_words", &Q::align_to_words, "Whether answers are whole words");
    return table;
  }
};

struct QuestionBody {
  QuestionFields inputs;
  QuestionParameters parameters;

  static FieldTable<QuestionBody> fields() {
    FieldTable<QuestionBody> table;
    table.required("inputs", &QuestionBody::inputs, "Question and context")
        .optional("parameters", &QuestionBody::parameters, "As the pipeline of transformers 4");
    return table;
  }
};

void append_pipeline_answer(JsonWriter& json, const PipelineAnswer& answer) {
  json.begin_object().key("score").number(answer.score).key("start").whole(answer.begin);
  json.key("end").whole(answer.end).key("answer").string(answer.text).end_object();
}

std::string pipeline_json(bool as_list, const PipelineAnswerResult& result) {
  JsonWriter json;
  if (as_list) json.begin_array();
  for (const PipelineAnswer& answer : result.best) append_pipeline_answer(json, answer);
  if (!as_list && result.best.empty()) append_pipeline_answer(json, {});
  if (as_list) json.end_array();
  return json.take();
}

void question_answering(const std::string& model, QuestionBody body, const CallRef& call) {
  const QuestionParameters& parameters = body.parameters;
  const bool as_list = parameters.top_k > 1;
  call->begin(Task::kAnswer, model, 1);
  call->service().pipeline_answer(
      model,
      {.question = std::move(body.inputs.question),
       .passage = std::move(body.inputs.context),
       .top = parameters.top_k,
       .max_answer_tokens = parameters.max_answer_len,
       .max_question_tokens = parameters.max_question_len,
       .window_tokens = parameters.max_seq_len,
       .overlap = parameters.doc_stride,
       .no_answer = parameters.handle_impossible_answer,
       .align_to_words = parameters.align_to_words},
      call->context(),
      answer_with<PipelineAnswerResult>(call, 1, [as_list](PipelineAnswerResult& result) {
        return pipeline_json(as_list, result);
      }));
}

// --- fill-mask ---

struct FillParameters {
  int64_t top_k = 5;
  std::vector<std::string> targets;

  static FieldTable<FillParameters> fields() {
    FieldTable<FillParameters> table;
    table.optional("top_k", &FillParameters::top_k, "Candidates for each mask")
        .within(1, 1000)
        .optional("targets", &FillParameters::targets, "Only these pieces are candidates")
        .within(0, 1000);
    return table;
  }
};

struct MaskBody {
  Texts inputs;
  FillParameters parameters;

  static FieldTable<MaskBody> fields() {
    FieldTable<MaskBody> table;
    table.required("inputs", &MaskBody::inputs, "A text with the model's mask, or several")
        .optional("parameters", &MaskBody::parameters, "Which candidates");
    return table;
  }
};

using FilledMasks = std::vector<std::vector<FillCandidate>>;

/// The candidates of a text with one mask are a list, of one with several a list of lists.
void append_filled(JsonWriter& json, const FilledMasks& masks) {
  if (masks.size() != 1) json.begin_array();
  for (const auto& candidates : masks) {
    json.begin_array();
    for (const FillCandidate& candidate : candidates) {
      json.begin_object().key("score").number(candidate.probability);
      json.key("token").whole(candidate.id).key("token_str").string(candidate.piece);
      json.key("sequence").string(candidate.sequence).end_object();
    }
    json.end_array();
  }
  if (masks.size() != 1) json.end_array();
}

void fill_mask(const std::string& model, MaskBody body, const CallRef& call) {
  const auto items = std::ssize(body.inputs.items);
  const bool single = body.inputs.single;
  call->begin(Task::kFill, model, items);
  call->service().fill(model,
                       {.texts = std::move(body.inputs.items),
                        .top = body.parameters.top_k,
                        .targets = std::move(body.parameters.targets)},
                       call->context(),
                       answer_with<FillResult>(call, items, [single](FillResult& result) {
                         JsonWriter json;
                         if (!single) json.begin_array();
                         for (const FilledMasks& masks : result.texts) append_filled(json, masks);
                         if (!single) json.end_array();
                         return json.take();
                       }));
}

// --- text-classification ---

struct LabelParameters {
  std::string function_to_apply;
  std::optional<int64_t> top_k;

  static FieldTable<LabelParameters> fields() {
    FieldTable<LabelParameters> table;
    table
        .optional("function_to_apply", &LabelParameters::function_to_apply,
                  "From logits to scores; default: as the model's config says")
        .one_of({"sigmoid", "softmax", "none"})
        .optional("top_k", &LabelParameters::top_k, "Labels at most; default: all")
        .within(1, 1 << 20);
    return table;
  }
};

struct LabelBody {
  PairTexts inputs;
  LabelParameters parameters;

  static FieldTable<LabelBody> fields() {
    FieldTable<LabelBody> table;
    table
        .required("inputs", &LabelBody::inputs,
                  "A text or several; `{\"text\", \"text_pair\"}` is a pair")
        .optional("parameters", &LabelBody::parameters, "Which scores");
    return table;
  }
};

Activation activation_of(const std::string& name) {
  if (name == "sigmoid") return Activation::kSigmoid;
  if (name == "softmax") return Activation::kSoftmax;
  return name == "none" ? Activation::kNone : Activation::kModel;
}

void text_classification(const std::string& model, LabelBody body, const CallRef& call) {
  ClassifyRequest request{.inputs = std::move(body.inputs.items)};
  request.activation = activation_of(body.parameters.function_to_apply);
  const auto items = std::ssize(request.inputs);
  const auto top = static_cast<size_t>(body.parameters.top_k.value_or(1 << 20));
  call->begin(Task::kClassify, model, items);
  call->service().classify(model, std::move(request), call->context(),
                           answer_with<ClassifyResult>(call, items, [=](ClassifyResult& result) {
                             const std::vector<std::string> labels = labels_of(call);
                             JsonWriter json;
                             json.begin_array();
                             for (const auto& scores : result.scores) {
                               append_label_scores(json, labels, scores, top);
                             }
                             return json.end_array().take();
                           }));
}

// --- token-classification ---

struct TagParameters {
  std::string aggregation_strategy = "none";
  std::vector<std::string> ignore_labels = {"O"};
  std::optional<int64_t> stride;

  static FieldTable<TagParameters> fields() {
    FieldTable<TagParameters> table;
    table
        .optional("aggregation_strategy", &TagParameters::aggregation_strategy,
                  "Labels of tokens (`none`), or groups of tokens (`simple`) or of words, which "
                  "have the label of their first token, of the mean of their tokens' scores, or of "
                  "the token with the largest score")
        .one_of({"none", "simple", "first", "average", "max"})
        .optional("ignore_labels", &TagParameters::ignore_labels,
                  "Labels, or types of groups, that are left out; default: `O`")
        .within(0, 1000)
        .optional("stride", &TagParameters::stride,
                  "Tokens that two windows of a long text share; default: one window, and a longer "
                  "text is cut, which the header `x-truncated` counts")
        .within(0, 1 << 20);
    return table;
  }
};

struct TagBody {
  Texts inputs;
  TagParameters parameters;

  static FieldTable<TagBody> fields() {
    FieldTable<TagBody> table;
    table.required("inputs", &TagBody::inputs, "A text or several")
        .optional("parameters", &TagBody::parameters, "As the pipeline of transformers");
    return table;
  }
};

infer::TagAggregation aggregation_of(const std::string& name) {
  using enum infer::TagAggregation;
  if (name == "simple") return kSimple;
  if (name == "first") return kFirst;
  if (name == "average") return kAverage;
  return name == "max" ? kMax : kNone;
}

void append_tagged_spans(JsonWriter& json, bool grouped, std::span<const infer::TaggedSpan> spans) {
  json.begin_array();
  for (const infer::TaggedSpan& span : spans) {
    json.begin_object().key(grouped ? "entity_group" : "entity").string(span.label);
    json.key("score").number(static_cast<float>(span.score));
    if (!grouped) json.key("index").whole(span.index);
    json.key("word").string(span.word).key("start").whole(span.begin);
    json.key("end").whole(span.end).end_object();
  }
  json.end_array();
}

void token_classification(const std::string& model, TagBody body, const CallRef& call) {
  const auto items = std::ssize(body.inputs.items);
  const bool single = body.inputs.single;
  const infer::TagAggregation aggregation = aggregation_of(body.parameters.aggregation_strategy);
  const bool grouped = aggregation != infer::TagAggregation::kNone;
  call->begin(Task::kTag, model, items);
  call->service().pipeline_tag(
      model,
      {.texts = std::move(body.inputs.items),
       .aggregation = aggregation,
       .ignored = std::move(body.parameters.ignore_labels),
       .overlap = body.parameters.stride},
      call->context(),
      answer_with<PipelineTagResult>(call, items, [single, grouped](PipelineTagResult& result) {
        JsonWriter json;
        if (!single) json.begin_array();
        for (const auto& spans : result.texts) append_tagged_spans(json, grouped, spans);
        if (!single) json.end_array();
        return json.take();
      }));
}

// --- feature-extraction ---

struct FeatureParameters : TruncationFields {
  std::optional<bool> normalize;
  std::optional<std::string> prompt_name;
  std::optional<int64_t> dimensions;

  /// What is given here goes before `others`.
  FeatureParameters over(const FeatureParameters& others) const {
    FeatureParameters both = *this;
    if (!both.truncate) both.truncate = others.truncate;
    if (both.direction == "right") both.direction = others.direction;
    if (!both.normalize) both.normalize = others.normalize;
    if (!both.prompt_name) both.prompt_name = others.prompt_name;
    if (!both.dimensions) both.dimensions = others.dimensions;
    return both;
  }

  template <typename T>
  static FieldTable<T> fields_in() {
    FieldTable<T> table;
    table
        .optional("normalize", static_cast<std::optional<bool> T::*>(&T::normalize),
                  "Scale each vector to length 1; default: as the model's folder says")
        .optional("prompt_name", static_cast<std::optional<std::string> T::*>(&T::prompt_name),
                  "A prompt of the model's folder")
        .optional("dimensions", static_cast<std::optional<int64_t> T::*>(&T::dimensions),
                  "Elements that are kept of each vector")
        .within(1, 1 << 20);
    return add_truncation(table);
  }
  static FieldTable<FeatureParameters> fields() { return fields_in<FeatureParameters>(); }
};

struct FeatureBody : FeatureParameters {
  Texts inputs;
  FeatureParameters parameters;
  std::string encoding_format = "float";

  static FieldTable<FeatureBody> fields() {
    FieldTable<FeatureBody> table = fields_in<FeatureBody>();
    table.required("inputs", &FeatureBody::inputs, "A text or many")
        .optional("parameters", &FeatureBody::parameters,
                  "The other fields, which may stand here, too")
        .optional("encoding_format", &FeatureBody::encoding_format,
                  "Numbers, or base64 of little-endian float32")
        .one_of({"float", "base64"});
    return table;
  }
};

void feature_extraction(const std::string& model, FeatureBody body, const CallRef& call) {
  const FeatureParameters parameters = body.over(body.parameters);
  const bool as_base64 = body.encoding_format == "base64";
  EmbedRequest request;
  request.normalize = parameters.normalize;
  request.dimensions = parameters.dimensions;
  request.prompt_name = parameters.prompt_name;
  request.truncation = parameters.truncation();
  for (std::string& text : body.inputs.items) request.inputs.emplace_back(std::move(text));
  const auto items = std::ssize(request.inputs);
  call->begin(Task::kEmbed, model, items);
  call->service().embed(model, std::move(request), call->context(),
                        answer_with<EmbedResult>(call, items, [as_base64](EmbedResult& result) {
                          JsonWriter json;
                          json.begin_array();
                          for (const Embedding& embedding : result.embeddings) {
                            as_base64 ? json.string(base64(embedding.values))
                                      : json.numbers(embedding.values);
                          }
                          return json.end_array().take();
                        }));
}

// --- The task of a path or of a model ---

using RunTask = void (*)(const std::string& model, Json json, const CallRef& call);

template <typename Body, void (*kRun)(const std::string&, Body, const CallRef&)>
void run_body(const std::string& model, Json json, const CallRef& call) {
  kRun(model, fields_of<Body>().read(json, {}), call);
}

struct PipelineTask {
  std::string_view name;  ///< in paths
  Task of_model;          ///< a model's own task has the first row of it
  RunTask run;
};

constexpr auto kTasks = std::to_array<PipelineTask>({
    {"question-answering", Task::kAnswer, run_body<QuestionBody, question_answering>},
    {"fill-mask", Task::kFill, run_body<MaskBody, fill_mask>},
    {"feature-extraction", Task::kEmbed, run_body<FeatureBody, feature_extraction>},
    {"sentence-similarity", Task::kEmbed, run_body<SimilarityBody, answer_similarity>},
    {"text-classification", Task::kClassify, run_body<LabelBody, text_classification>},
    {"text-ranking", Task::kRerank, run_body<RankBody, answer_rank>},
    {"token-classification", Task::kTag, run_body<TagBody, token_classification>},
});

const PipelineTask& task_named(std::string_view name) {
  const auto found = std::ranges::find(kTasks, name, &PipelineTask::name);
  if (found != kTasks.end()) return *found;
  std::string names;
  for (const PipelineTask& task : kTasks) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", task.name);
  }
  throw RouteFailure(
      {.kind = ErrorKind::kUnknownModel,
       .message = fmt::format("no task is named \"{}\"; there are: {}", shown_name(name), names)});
}

/// What a body without a task in its path asks of a model.
const PipelineTask& task_of(const ModelInfo& model, const Json& json) {
  if (!json.is_object()) throw FieldError("body", "must be an object");
  const auto inputs = json.find("inputs");
  const bool is_object = inputs != json.end() && inputs->is_object();
  if (model.task == Task::kEmbed && is_object) return task_named("sentence-similarity");
  if (model.task == Task::kRerank && inputs != json.end()) return task_named("text-classification");
  return *std::ranges::find(kTasks, model.task, &PipelineTask::of_model);
}

void run_model(const CallRef& call) {
  Json json = parse_request_json(call->request().body);
  const ModelInfo model = find_served(call->environment(), call->parameter("model"));
  const PipelineTask& task = task_of(model, json);
  task.run(model.name, std::move(json), call);
}

void run_pipeline(const CallRef& call) {
  const PipelineTask& task = task_named(call->parameter("task"));
  task.run(call->parameter("model"), parse_request_json(call->request().body), call);
}

Json bodies_schema() {
  return schema::any_of({fields_of<QuestionBody>().schema(), fields_of<MaskBody>().schema(),
                         fields_of<FeatureBody>().schema(), fields_of<SimilarityBody>().schema(),
                         fields_of<LabelBody>().schema(), fields_of<RankBody>().schema(),
                         fields_of<TagBody>().schema()});
}

Json pipeline_answer_schema() {
  return schema::object({{"score", schema::number()},
                         {"start", schema::whole()},
                         {"end", schema::whole()},
                         {"answer", schema::string()}});
}

Json answers_schema() {
  const Json filled = schema::object({{"score", schema::number()},
                                      {"token", schema::whole()},
                                      {"token_str", schema::string()},
                                      {"sequence", schema::string()}});
  const Json tagged = schema::object({{"score", schema::number()},
                                      {"word", schema::string()},
                                      {"start", schema::whole()},
                                      {"end", schema::whole()}});
  return schema::any_of({pipeline_answer_schema(), schema::array(pipeline_answer_schema()),
                         schema::array(filled), schema::array(schema::array(filled)),
                         schema::array(label_scores_schema()), schema::array(tagged),
                         schema::array(schema::array(tagged)),
                         schema::array(schema::array(schema::number())),
                         schema::array(schema::number()), schema::array(schema::string()),
                         schema::array(schema::object({{"score", schema::number()}}))});
}

}  // namespace

void add_hugging_face_routes(RouteTable& table) {
  table.group("Hugging Face tasks", Dialect::kHuggingFace);
  const auto add = [&](const char* path, const char* summary, void (*run)(const CallRef&)) {
    table.post(path, summary, bodies_schema(), answers_schema(), run);
  };
  add("/models/{model}", "The task of the model: the URL that InferenceClient is given", run_model);
  add("/models/{model}/pipeline/{task}",
      "`question-answering`, `fill-mask`, `feature-extraction`, `sentence-similarity`, "
      "`text-classification`, `text-ranking` or `token-classification` with the model",
      run_pipeline);
  add("/pipeline/{task}", "The same with the first model of the task", run_pipeline);
  add("/", "The task of the first model", run_model);
  add("/invocations", "As POST `/`, for SageMaker", run_model);
}

}  // namespace bertha::serve
