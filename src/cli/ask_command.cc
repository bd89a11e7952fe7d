#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "cli/text_input.h"
#include "core/error.h"
#include "infer/answer.h"
#include "io/text_file.h"

namespace bertha::cli {
namespace {

constexpr size_t kQuestionsTogether = 256;

struct AskOptions {
  ModelChoice model;
  std::string passage;
  std::optional<std::string> passage_file;
  std::vector<std::string> questions;
  std::string question_file;
  bool json = false;
  int64_t top = 1;
  infer::AnswerSettings settings;
  DeviceChoice device;
};

void declare(Options& table, AskOptions& o) {
  o.model.declare(table, "weights with a question answering head");
  table.value("passage", o.passage, "text that contains the answer");
  table.file("passage_file", o.passage_file,
             "file that contains the passage; -: standard input, which is read too where there is "
             "neither option and it is no terminal");
  table.values("question", o.questions,
               "question to answer; several questions are answered one after the other");
  table.file(
      "question_file", o.question_file,
      "more questions, one on each line, or a .jsonl file of objects with a \"question\" and, "
      "if it is another than the common one, a passage under \"context\"; -: standard input");
  table.flag("json", o.json,
             "print a JSON object for each question: its fields and the list \"answers\"");
  table.value("top", o.top, "number of answers to print for each question");
  table.value("max_seq_length", o.settings.features.max_seq_length,
              "maximum number of tokens in a window");
  table.value("doc_stride", o.settings.features.doc_stride,
              "number of tokens between the starts of two windows");
  table.value("max_answer_length", o.settings.answers.max_answer_length,
              "maximum number of tokens in an answer");
  o.device.declare(table);
}

void print(const infer::AnswerResult& result, int64_t top) {
  const auto shown = std::min<int64_t>(top, std::ssize(result.best));
  for (int64_t rank = 0; rank < shown; ++rank) {
    const infer::Answer& answer = result.best[static_cast<size_t>(rank)];
    if (answer.begin < 0) {
      fmt::print("no answer found\n");
      continue;
    }
    fmt::print("{}  (confidence {:.1f} %, characters {} to {})\n", answer.text,
               100 * answer.probability, answer.begin, answer.end);
  }
}

/// The keys are those of transformers' pipeline. An answer that there is none has an empty text and
/// no place.
OrderedJson json_of(const infer::AnswerResult& result, int64_t top) {
  OrderedJson answers = OrderedJson::array();
  const auto shown = std::min<int64_t>(top, std::ssize(result.best));
  for (int64_t rank = 0; rank < shown; ++rank) {
    const infer::Answer& answer = result.best[static_cast<size_t>(rank)];
    OrderedJson one = {{"answer", answer.text}, {"score", answer.probability}};
    if (answer.begin >= 0) one.update({{"start", answer.begin}, {"end", answer.end}});
    answers.push_back(std::move(one));
  }
  return answers;
}

/// Opens the model. Missing tensors are warnings.
std::unique_ptr<infer::Model> open_model(const AskOptions& o, Device& device) {
  infer::ModelFiles files = o.model.files();
  files.rules = text::TokenRules::kRecipe;
  auto model = infer::Model::open(files, device,
                                  {.purpose = infer::Purpose::kAnswer,
                                   .arithmetic = o.device.arithmetic(device),
                                   .on_missing = warn_of_missing});
  for (const std::string& line : model->report().weights.lines()) spdlog::debug("{}", line);
  return model;
}

/// The passage of all questions, from an option, a file or a pipe; empty where there is none.
std::string common_passage(const AskOptions& o) {
  if (o.passage_file) return std::string(io::TextFile(*o.passage_file).text());
  const bool piped = o.question_file != "-" && ::isatty(STDIN_FILENO) == 0;
  if (!o.passage.empty() || !piped) return o.passage;
  return std::string(io::TextFile("-").text());
}

/// A question with the passage that it is about.
struct Question {
  TextRecord record;
  std::shared_ptr<const std::string> passage;
};

class Questions {
 public:
  explicit Questions(const AskOptions& o) : options_(o) {
    for (const std::string& question : o.questions) typed_.push_back({.text = question});
    if (!o.question_file.empty()) file_.emplace(o.question_file, "question");
  }

  /// Those of the command line, then those of the file; empty at the end.
  std::vector<Question> next(size_t most) {
    std::vector<TextRecord> records = std::exchange(typed_, {});
    if (records.empty() && file_) records = file_->next(most);
    std::vector<Question> questions;
    questions.reserve(records.size());
    for (TextRecord& record : records) questions.push_back(with_passage(std::move(record)));
    return questions;
  }

 private:
  Question with_passage(TextRecord record) {
    const auto own = record.fields.find("context");  // end() where the question is plain text
    const bool has_own = own != record.fields.end() && own->is_string();
    auto passage =
        has_own ? std::make_shared<const std::string>(own->get<std::string>()) : common();
    return {std::move(record), std::move(passage)};
  }

  /// Read when the first question needs it.
  std::shared_ptr<const std::string> common() {
    if (!passage_) passage_ = std::make_shared<const std::string>(common_passage(options_));
    return passage_;
  }

  const AskOptions& options_;
  std::shared_ptr<const std::string> passage_;
  std::vector<TextRecord> typed_;
  std::optional<TextReader> file_;
};

void answer(infer::AnswerTask& task, const std::vector<Question>& questions, const AskOptions& o) {
  std::vector<infer::AnswerRequest> requests;
  requests.reserve(questions.size());
  for (const Question& one : questions) {
    if (one.record.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      fail("{}: the question is empty", o.question_file.empty() ? "--question" : o.question_file);
    }
    requests.push_back({.question = one.record.text, .passage = *one.passage});
  }
  const std::vector<infer::AnswerResult> results = task.run(requests);
  for (size_t i = 0; i < results.size(); ++i) {
    const TextRecord& record = questions[i].record;
    if (results[i].best.empty()) {
      fail("{}: the passage is empty: question \"{}\"", o.passage_file.value_or("--passage"),
           record.text);
    }
    if (o.json) {
      OrderedJson line = fields_of(record, "question");
      line["answers"] = json_of(results[i], o.top);
      print_json(line);
      continue;
    }
    if (o.questions.size() != 1 || !o.question_file.empty()) fmt::print("{}\n", record.text);
    print(results[i], o.top);
  }
  flush_output();
}

void ask(const AskOptions& o) {
  Questions questions(o);
  std::vector<Question> some = questions.next(kQuestionsTogether);
  const std::unique_ptr<Device> device = o.device.open();
  const std::unique_ptr<infer::Model> model = open_model(o, *device);
  infer::AnswerTask task(*model, o.settings.fitted_to(model->config()));
  for (; !some.empty(); some = questions.next(kQuestionsTogether)) {
    answer(task, some, o);
  }
}

}  // namespace

int run_ask(Arguments arguments) {
  AskOptions o;
  Options table("bertha ask",
                "Answers questions about a passage. Prints for each answer its text, which is a "
                "part of the passage, its confidence (its probability among the 20 best answers) "
                "and its position in characters.");
  table.example(
      "bertha ask --checkpoint=squad-model --passage='Bertha trains BERT.' --question='What does "
      "Bertha train?'",
      "One question about a text");
  table.example(
      "bertha ask --checkpoint=squad-model --passage-file=article.txt --question 'Who?' 'When?' "
      "--top=3",
      "Three answers to each of two questions about a file");
  table.example(
      "zcat article.gz | bertha ask --checkpoint=squad-model --question-file=questions.txt --json",
      "A file of questions about a text from a pipe");
  declare(table, o);
  table.parse(arguments);
  if (o.passage_file && !o.passage.empty()) fail("--passage and --passage-file exclude each other");
  if (o.questions.empty() && o.question_file.empty()) {
    fail("one of --question and --question-file is needed");
  }
  if (o.question_file == "-" && o.passage_file == "-") {
    fail("--question-file and --passage-file cannot both be standard input");
  }
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  ask(o);
  return 0;
}

}  // namespace bertha::cli
