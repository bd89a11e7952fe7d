#include <string>
#include <utility>
#include <vector>

#include "serve/routes/json_schema.h"
#include "serve/routes/request_texts.h"
#include "serve/routes/route_lists.h"

namespace bertha::serve {
namespace {

struct WindowFields {
  int64_t tokens = 0;
  int64_t step = 128;

  static FieldTable<WindowFields> fields() {
    FieldTable<WindowFields> table;
    table
        .optional("tokens", &WindowFields::tokens,
                  "Tokens of a window, the question included; 0: 384, or what the model takes")
        .within(0, 1 << 20)
        .optional("step", &WindowFields::step,
                  "Tokens from the start of a window to that of the next")
        .within(1, 1 << 20);
    return table;
  }
};

struct AnswerBody {
  std::string model;
  Texts question;
  std::string passage;
  int64_t top = 1;
  bool no_answer = true;
  int64_t max_answer_tokens = 30;
  WindowFields windows;
  std::string offsets = "characters";

  static FieldTable<AnswerBody> fields() {
    FieldTable<AnswerBody> table;
    table.optional("model", &AnswerBody::model, "Name of a model; default: the first that answers")
        .required("question", &AnswerBody::question, "A question, or several about the passage")
        .required("passage", &AnswerBody::passage, "The text that holds the answer")
        .optional("top", &AnswerBody::top, "Answers for each question")
        .within(1, 20)
        .optional("no_answer", &AnswerBody::no_answer,
                  "Whether \"the passage has no answer\" may win")
        .optional("max_answer_tokens", &AnswerBody::max_answer_tokens,
                  "Tokens of an answer at most")
        .within(1, 512)
        .optional("windows", &AnswerBody::windows, "How a long passage is cut")
        .optional("offsets", &AnswerBody::offsets, "Unit of `start` and `end`")
        .one_of({"characters", "bytes", "utf16"});
    return table;
  }
};

OffsetUnit unit_of(const std::string& name) {
  if (name == "bytes") return OffsetUnit::kBytes;
  return name == "utf16" ? OffsetUnit::kUtf16 : OffsetUnit::kCharacters;
}

void append_work(JsonWriter& json, const Work& work) {
  const auto milliseconds = [](std::chrono::microseconds time) {
    return static_cast<double>(time.count()) / 1000;
  };
  json.key("usage").begin_object().key("tokens").whole(work.tokens);
  json.key("windows").whole(work.windows).end_object();
  json.key("timing_ms").begin_object().key("tokenize").number(milliseconds(work.tokenize));
  json.key("queue").number(milliseconds(work.queue));
  json.key("compute").number(milliseconds(work.compute)).end_object();
}

void append_span(JsonWriter& json, const AnswerSpan& span) {
  json.begin_object().key("text").string(span.text).key("confidence").number(span.confidence);
  json.key("start").whole(span.begin).key("end").whole(span.end);
  json.key("score").number(span.score).end_object();
}

void append_answer(JsonWriter& json, const std::string& question, const QuestionAnswer& answer) {
  json.begin_object().key("question").string(question).key("best").begin_array();
  for (const AnswerSpan& span : answer.best) append_span(json, span);
  json.end_array().key("no_answer").boolean(answer.no_answer);
  json.key("no_answer_confidence").number(answer.no_answer_confidence);
  json.key("windows").whole(answer.windows);
  json.key("windows_skipped").whole(0);  // no passage is ever read in part
  json.key("question_truncated").boolean(answer.question_truncated).end_object();
}

std::string answer_json(const CallRef& call, const std::vector<std::string>& questions,
                        const AnswerResult& result) {
  JsonWriter json;
  json.begin_object().key("model").string(call->model()).key("answers").begin_array();
  for (size_t i = 0; i < result.answers.size(); ++i) {
    append_answer(json, questions[i], result.answers[i]);
  }
  json.end_array();
  append_work(json, result.work);
  return json.end_object().take();
}

void answer(AnswerBody body, const CallRef& call) {
  const auto questions = std::make_shared<std::vector<std::string>>(body.question.items);
  const auto items = std::ssize(*questions);
  call->begin(Task::kAnswer, body.model, items);
  call->service().answer(body.model,
                         {.questions = std::move(body.question.items),
                          .passage = std::move(body.passage),
                          .top = body.top,
                          .no_answer = body.no_answer,
                          .max_answer_tokens = body.max_answer_tokens,
                          .window_tokens = body.windows.tokens,
                          .window_step = body.windows.step,
                          .offsets = unit_of(body.offsets)},
                         call->context(),
                         answer_with<AnswerResult>(call, items, [=](AnswerResult& result) {
                           return answer_json(call, *questions, result);
                         }));
}

struct FillBody {
  std::string model;
  Texts text;
  int64_t top = 5;
  std::vector<std::string> targets;

  static FieldTable<FillBody> fields() {
    FieldTable<FillBody> table;
    table
        .optional("model", &FillBody::model, "Name of a model; default: the first that fills masks")
        .required("text", &FillBody::text, "A text with `[MASK]`, or several")
        .optional("top", &FillBody::top, "Candidates for each mask")
        .within(1, 1000)
        .optional("targets", &FillBody::targets, "Only these pieces are candidates")
        .within(0, 1000);
    return table;
  }
};

using FilledMasks = std::vector<std::vector<FillCandidate>>;

void append_masks(JsonWriter& json, const FilledMasks& masks) {
  json.key("masks").begin_array();
  for (const auto& candidates : masks) {
    json.begin_array();
    for (const FillCandidate& candidate : candidates) {
      json.begin_object().key("token").string(candidate.piece).key("id").whole(candidate.id);
      json.key("probability").number(candidate.probability);
      json.key("text").string(candidate.filled).end_object();
    }
    json.end_array();
  }
  json.end_array();
}

std::string fill_json(const CallRef& call, bool single, const FillResult& result) {
  JsonWriter json;
  json.begin_object().key("model").string(call->model());
  if (single) {
    append_masks(json, result.texts.at(0));
  } else {
    json.key("results").begin_array();
    for (const FilledMasks& masks : result.texts) {
      json.begin_object();
      append_masks(json, masks);
      json.end_object();
    }
    json.end_array();
  }
  append_work(json, result.work);
  return json.end_object().take();
}

void fill(FillBody body, const CallRef& call) {
  const auto items = std::ssize(body.text.items);
  const bool single = body.text.single;
  call->begin(Task::kFill, body.model, items);
  call->service().fill(
      body.model,
      {.texts = std::move(body.text.items), .top = body.top, .targets = std::move(body.targets)},
      call->context(), answer_with<FillResult>(call, items, [=](FillResult& result) {
        return fill_json(call, single, result);
      }));
}

Json usage_schema() {
  return schema::object({{"tokens", schema::whole()}, {"windows", schema::whole()}});
}

Json timing_schema() {
  return schema::object(
      {{"tokenize", schema::number()}, {"queue", schema::number()}, {"compute", schema::number()}});
}

Json answer_schema() {
  const Json span = schema::object({{"text", schema::string()},
                                    {"confidence", schema::number()},
                                    {"start", schema::whole()},
                                    {"end", schema::whole()},
                                    {"score", schema::number()}});
  const Json of_question = schema::object({{"question", schema::string()},
                                           {"best", schema::array(span)},
                                           {"no_answer", schema::boolean()},
                                           {"no_answer_confidence", schema::number()},
                                           {"windows", schema::whole()},
                                           {"windows_skipped", schema::whole()},
                                           {"question_truncated", schema::boolean()}});
  return schema::object({{"model", schema::string()},
                         {"answers", schema::array(of_question)},
                         {"usage", usage_schema()},
                         {"timing_ms", timing_schema()}});
}

Json fill_schema() {
  const Json masks = schema::array(schema::array(schema::object({{"token", schema::string()},
                                                                 {"id", schema::whole()},
                                                                 {"probability", schema::number()},
                                                                 {"text", schema::string()}})));
  const Json of_text = schema::object({{"masks", masks}});
  const auto answer = [](const char* name, const Json& of) {
    return schema::object({{"model", schema::string()},
                           {name, of},
                           {"usage", usage_schema()},
                           {"timing_ms", timing_schema()}});
  };
  return schema::any_of({answer("masks", masks), answer("results", schema::array(of_text))});
}

}  // namespace

void add_own_routes(RouteTable& table) {
  table.group("Own routes", Dialect::kOwn);
  table.post<AnswerBody>("/v1/answer", "The stretches of a passage that answer questions",
                         answer_schema(), answer);
  table.post<FillBody>("/v1/fill", "The most probable pieces in the place of each `[MASK]`",
                       fill_schema(), fill);
}

}  // namespace bertha::serve
