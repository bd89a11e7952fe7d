#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
#include "infer/answer.h"
#include "io/text_file.h"

namespace bertha::cli {
namespace {

struct AskOptions {
  ModelChoice model;
  std::string passage;
  std::optional<std::string> passage_file;
  std::vector<std::string> questions;
  int64_t top = 1;
  infer::AnswerSettings settings;
  DeviceChoice device;
};

void declare(Options& table, AskOptions& o) {
  o.model.declare(table, "weights with a question answering head");
  table.value("passage", o.passage, "text that contains the answer");
  table.file("passage_file", o.passage_file, "file that contains the passage");
  table.values("question", o.questions,
               "question to answer; several questions are answered one after the other");
  table.required();
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

void ask(const AskOptions& o) {
  const std::string passage =
      o.passage_file ? std::string(io::TextFile(*o.passage_file).text()) : o.passage;
  const std::unique_ptr<Device> device = o.device.open();
  const std::unique_ptr<infer::Model> model = open_model(o, *device);
  infer::AnswerTask task(*model, o.settings.fitted_to(model->config()));
  std::vector<infer::AnswerRequest> requests;
  for (const std::string& question : o.questions) {
    requests.push_back({.question = question, .passage = passage});
  }
  const std::vector<infer::AnswerResult> results = task.run(requests);
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].best.empty()) {
      fail("{}: the passage is empty", o.passage_file.value_or("--passage"));
    }
    if (results.size() > 1) fmt::print("{}\n", o.questions[i]);
    print(results[i], o.top);
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
  declare(table, o);
  table.parse(arguments);
  if (o.passage_file && !o.passage.empty()) fail("--passage and --passage-file exclude each other");
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  ask(o);
  return 0;
}

}  // namespace bertha::cli
