#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/recipe_run.h"
#include "cli/score_tables.h"
#include "cli/stop.h"
#include "cli/text_input.h"
#include "cli/text_task_arguments.h"
#include "core/error.h"
#include "core/utf8.h"
#include "cpython/literals.h"
#include "train/tagging_run.h"

namespace bertha::cli {
namespace {

constexpr size_t kTextsTogether = 256;

struct Typed {
  train::TaggingOptions options;
  TextTaskArguments task;
  std::string input;
  std::string text_key = "text";
  bool json = false;
};

void declare(Options& table, Typed& typed) {
  train::TaggingOptions& o = typed.options;
  table.heading("files");
  table.file("train_file", o.train_file, "labelled words to fine-tune on: CoNLL or JSON lines");
  table.file("eval_file", o.eval_file, "labelled words to evaluate on");
  table.file("predict_file", o.predict_file,
             "words to label; the result is predictions.conll or predictions.jsonl");
  table.folder("output_dir", o.output_dir, "folder for the model and the predictions");
  table.value("word_column", o.columns.word,
              "column of the words, a number from 1, or the key of their list in JSON lines; "
              "default: the first column, or the second where the first numbers the words");
  table.value("label_column", o.columns.label,
              "column of the labels, or their key; default: the last column, or the third where "
              "the first numbers the words; ner_tags, tags or labels");
  table.value("label_names", o.label_names,
              "names of the labels with commas between them, in the order of their numbers; for "
              "files that have numbers");
  table.heading("plain text");
  table.file("input", typed.input,
             "texts to label, one on each line, or a .jsonl file; -: standard input; without any "
             "file: standard input");
  table.value("text_key", typed.text_key, "key of the text in a JSONL object");
  table.flag("json", typed.json,
             "print a JSON object for each text: its fields and the list \"entities\" with their "
             "places; without it: each word and its label");
  typed.task.declare(table, o,
                     {.rows = "windows",
                      .fresh = "the fresh classifier",
                      .cut = "longer sentences are divided into windows that overlap"});
}

/// Scores by type as a table, then all as one line of JSON.
void print(const train::TaggingResult& result) {
  const auto number = [](double value) { return cpython::repr_float(value); };
  const tasks::SpanScores& scores = result.scores;
  print_scores("type", "spans", scores.types, scores.all);
  fmt::print(
      "{{\"sentences\": {}, \"words\": {}, \"accuracy\": {}, \"precision\": {}, \"recall\": {}, "
      "\"macro_f1\": {}, \"f1\": {}}}\n",
      result.sentences, result.words, number(scores.accuracy), number(scores.all.precision()),
      number(scores.all.recall()), number(tasks::macro_f1(scores.types)), number(scores.all.f1()));
}

/// Parts of a text by their places in code points, asked for in ascending order of begin.
class TextParts {
 public:
  explicit TextParts(std::string_view text) : text_(text) {}

  std::string_view part(int64_t begin, int64_t end) {
    const size_t first = byte_of(begin);
    at_ = {begin, first};
    return text_.substr(first, byte_of(end) - first);
  }

 private:
  size_t byte_of(int64_t place) const {
    auto [code_points, byte] = at_;
    for (; code_points < place && byte < text_.size(); ++code_points) {
      const char* const data = text_.data();
      byte += static_cast<size_t>(decode_utf8(data + byte, data + text_.size()).length);
    }
    return byte;
  }

  std::string_view text_;
  std::pair<int64_t, size_t> at_;  ///< code points and bytes before the last part
};

void print_words(const std::string& text, const train::TaggedText& tagged) {
  TextParts parts(text);
  for (size_t i = 0; i < tagged.words.size(); ++i) {
    fmt::print("{}\t{}\n", parts.part(tagged.words[i].begin, tagged.words[i].end),
               tagged.labels[i]);
  }
  fmt::print("\n");
}

void print_entities(const TextRecord& record, std::string_view key,
                    const train::TaggedText& tagged) {
  TextParts parts(record.text);
  OrderedJson entities = OrderedJson::array();
  for (const infer::TagEntity& entity : tagged.entities) {
    entities.push_back({{"entity_group", entity.type},
                        {"score", entity.probability},
                        {"word", parts.part(entity.begin, entity.end)},
                        {"start", entity.begin},
                        {"end", entity.end}});
  }
  OrderedJson line = fields_of(record, key);
  line["entities"] = std::move(entities);
  print_json(line);
}

void tag_texts(train::TaggingRun& run, const Typed& typed, bool prints) {
  TextReader reader(typed.input, typed.text_key);
  for (auto records = reader.next(kTextsTogether); !records.empty();
       records = reader.next(kTextsTogether)) {
    std::vector<std::string> texts;
    texts.reserve(records.size());
    for (const TextRecord& record : records) texts.push_back(record.text);
    const std::vector<train::TaggedText> tagged = run.tag(texts);
    for (size_t i = 0; prints && i < texts.size(); ++i) {
      typed.json ? print_entities(records[i], typed.text_key, tagged[i])
                 : print_words(texts[i], tagged[i]);
    }
    flush_output();
  }
}

/// The part of one rank. With one rank this is the whole run.
int run_on(comm::Communicator& world, train::TaggingOptions o, const Typed& typed,
           std::shared_ptr<const infer::ModelDefinition> definition) {
  refuse_shared_input(world, std::array{o.train_file, o.eval_file, o.predict_file, typed.input});
  const RankDevice own = open_on_rank(typed.task.training.device, world);
  Device* const device = own.device.get();
  o.arithmetic = typed.task.training.device.arithmetic(*device, !o.train_file.empty());
  train::TaggingRun run(o, std::move(definition), *device, *own.world);
  if (!o.train_file.empty() && run.train(stop_requested) == train::RunEnd::kStopped) {
    return stopped_status(false);
  }
  if (!o.eval_file.empty()) {
    const train::TaggingResult result = run.evaluate();
    if (world.leads()) print(result);
  }
  if (!o.predict_file.empty()) run.predict();
  if (!typed.input.empty()) tag_texts(run, typed, world.leads());
  return 0;
}

void settle(Typed& typed) {
  train::TaggingOptions& o = typed.options;
  const bool no_file = o.train_file.empty() && o.eval_file.empty() && o.predict_file.empty();
  if (no_file && typed.input.empty()) typed.input = "-";
  if (o.output_dir.empty() && !(o.train_file.empty() && o.predict_file.empty())) {
    fail("--train-file and --predict-file need --output-dir");
  }
  typed.task.settle(o);
}

}  // namespace

int run_tag(Arguments arguments) {
  Typed typed;
  Options table("bertha tag",
                "Fine-tunes a classifier of words (token classification, for example of named "
                "entities), evaluates it and labels words or plain text. The evaluation gives "
                "precision, recall and F1 of spans as seqeval does; its last output line is JSON. "
                "Files are CoNLL, a word on each line, or JSON lines. Ctrl-C or SIGTERM during "
                "training saves the state and ends with status 75; the same command then continues "
                "where it stopped.");
  table.example(
      "bertha tag --train-file=train.conll --eval-file=dev.conll --output-dir=ner "
      "--checkpoint=bert-base-cased",
      "Fine-tune on named entities, then evaluate");
  table.example("bertha tag --checkpoint=ner --input=texts.txt --json",
                "The entities of plain texts and their places");
  declare(table, typed);
  table.parse(arguments);
  settle(typed);
  const auto definition = std::make_shared<const infer::ModelDefinition>(typed.task.model.files());
  stop_on_signals();
  return on_all_ranks(typed.task.training.ranks, stop_requested, [&](comm::Communicator& world) {
    return run_on(world, typed.options, typed, definition);
  });
}

}  // namespace bertha::cli
