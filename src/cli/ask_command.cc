#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "bert/question_answering.h"
#include "bert/weights.h"
#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
#include "infer/squad_predictor.h"
#include "io/atomic_file.h"

namespace bertha::cli {
namespace {

struct AskOptions {
  ModelChoice model;
  std::string passage;
  std::optional<std::string> passage_file;
  std::vector<std::string> questions;
  int64_t top = 1;
  int64_t max_seq_length = 384;
  int64_t doc_stride = 128;
  tasks::AnswerOptions answers;
  DeviceChoice device;
};

void declare(Options& table, AskOptions& o) {
  o.model.declare(table, "weights with a question answering head");
  table.value("passage", o.passage, "the text that holds the answer");
  table.value("passage_file", o.passage_file, "a file with the text");
  table.values("question", o.questions, "what is asked; several are answered one by one");
  table.required();
  table.value("top", o.top, "answers shown");
  table.value("max_seq_length", o.max_seq_length, "tokens of a window at most");
  table.value("doc_stride", o.doc_stride, "tokens between the starts of two windows");
  table.value("max_answer_length", o.answers.max_answer_length, "tokens of an answer at most");
  o.device.declare(table);
}

/// The passage and its questions as a SQuAD file in memory.
tasks::SquadFile as_file(const AskOptions& o) {
  tasks::SquadFile file;
  file.path = o.passage_file.value_or("--passage");
  file.contexts.push_back(o.passage_file ? std::string(io::MappedFile(*o.passage_file).text())
                                         : o.passage);
  for (const std::string& question : o.questions) {
    file.questions.push_back({.id = fmt::format("{}", file.questions.size()),
                              .text = question,
                              .paragraph = 0,
                              .impossible = false,
                              .answers = {}});
  }
  return file;
}

void print(const AskOptions& o, const tasks::SquadAnswerer& answerer,
           const std::vector<tasks::QuestionAnswers>& answers) {
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers.size() > 1) fmt::print("{}\n", o.questions[i]);
    const auto shown = std::min<int64_t>(o.top, std::ssize(answers[i].best));
    for (int64_t rank = 0; rank < shown; ++rank) {
      const tasks::RankedAnswer& answer = answers[i].best[static_cast<size_t>(rank)];
      if (answer.candidate.window < 0) {
        fmt::print("no answer found\n");
        continue;
      }
      const auto [begin, end] = answerer.place_of(answer.candidate);
      fmt::print("{}  (confidence {:.1f} %, characters {} to {})\n", answer.candidate.text,
                 100 * answer.probability, begin, end);
    }
  }
}

void load(const AskOptions& o, const bert::Config& config, bert::ParameterStore& parameters) {
  const bert::LoadReport report =
      bert::load_weights(o.model.checkpoint, parameters, {.config = config});
  for (const std::string& line : report.lines()) spdlog::debug("{}", line);
  if (std::find(report.fresh.begin(), report.fresh.end(), "qa_outputs.weight") !=
      report.fresh.end()) {
    spdlog::warn(
        "{} has no question answering head: the answers are random; fine-tune it first "
        "with bertha squad --do_train",
        o.model.checkpoint);
  }
}

}  // namespace

int run_ask(Arguments arguments) {
  AskOptions o;
  Options table("bertha ask",
                "Answers questions about a passage: the stretch of it that answers, with its "
                "confidence (its probability among the 20 best) and its place.");
  declare(table, o);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  if (o.passage_file && !o.passage.empty()) fail("--passage and --passage_file exclude each other");
  if (o.top < 1) fail("--top {}: expected at least 1", o.top);
  const bert::Config config = o.model.config().padded();
  const text::TokenizerFile tokens = o.model.tokenizer();
  check_vocabulary(tokens.vocabulary, config);
  text::TokenizerOptions rules = o.model.rules(tokens);
  rules.rules = text::TokenRules::kRecipe;
  const text::Tokenizer tokenizer(tokens.vocabulary, rules);
  const tasks::SquadFile file = as_file(o);
  const int64_t length = std::min(o.max_seq_length, config.max_position_embeddings);
  const tasks::SquadFeatures features(file, tokenizer,
                                      {.max_seq_length = length,
                                       .doc_stride = o.doc_stride,
                                       .max_query_length = std::min<int64_t>(64, length / 2)});
  if (features.windows().empty()) fail("{}: the passage is empty", file.path);
  const std::unique_ptr<Device> device = o.device.open();
  bert::ParameterStore parameters(*device, config, bert::Heads{.question_answering = true},
                                  o.device.bf16(*device) ? DType::kBF16 : DType::kF32, false);
  load(o, config, parameters);
  bert::QuestionAnsweringModel model(config, parameters);
  const int64_t rows = std::min<int64_t>(8, std::ssize(features.windows()));
  train::TaskPredictor predictor(*device, parameters, model, rows * length, rows);
  const tasks::SquadAnswerer answerer(features, tokenizer, o.answers);
  print(o, answerer,
        answerer.merge(infer::predict_windows(predictor, features, answerer, rows, {})));
  return 0;
}

}  // namespace bertha::cli
