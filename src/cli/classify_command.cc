#include <array>
#include <cstdio>
#include <memory>
#include <optional>
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
#include "cpython/literals.h"
#include "train/classification_run.h"

namespace bertha::cli {
namespace {

constexpr size_t kTextsTogether = 256;

struct Typed {
  train::ClassificationOptions options;
  TextTaskArguments task;
  std::vector<std::string> texts;
  std::string input;
  std::string text_key = "text";
  std::string pair_key = "text_pair";
  bool json = false;
};

void declare(Options& table, Typed& typed) {
  train::ClassificationOptions& o = typed.options;
  table.heading("files");
  table.file("train_file", o.train_file,
             "table of labelled texts to fine-tune on: TSV, CSV or JSON");
  table.file("eval_file", o.eval_file, "table of labelled texts to evaluate on");
  table.file("predict_file", o.predict_file,
             "table of texts to classify; the result is predictions.tsv");
  table.folder("output_dir", o.output_dir, "folder for the model and the predictions");
  table.value("text_column", o.columns.text,
              "column of the texts: its name, or its number from 1 if the first line has no names; "
              "default: the column names of GLUE's tasks");
  table.value("pair_column", o.columns.pair, "column of the second texts, for pairs");
  table.value(
      "label_column", o.columns.label,
      "column of the labels, or for several labels of a text their columns of 0 and 1, with "
      "commas between the names");
  table.value("label_separator", o.columns.separator,
              "what separates several labels of a text in the column of labels; default: a comma "
              "with --problem-type multi_label_classification, else a text has one label");
  table.value("problem_type", o.problem_type,
              "single_label_classification, multi_label_classification (several labels for a text, "
              "or none), or regression on numbers; default: several labels if the labels are lists "
              "in JSON or columns of 0 and 1, regression if all labels are numbers and one has a "
              "fraction");
  table.flag("all_probabilities", o.all_probabilities, "write the probability of every class, too");
  table.heading("plain text");
  table.positional("TEXT...", typed.texts, 0, "text to classify; -: lines of standard input");
  table.file("input", typed.input,
             "texts to classify, one on each line, or a .jsonl file; -: standard input");
  table.value("text_key", typed.text_key, "key of the text in a JSONL object");
  table.value("pair_key", typed.pair_key, "key of the second text, for models of pairs");
  table.flag("json", typed.json,
             "print a JSON object for each text: its fields, the label and all probabilities");
  typed.task.declare(
      table, o, {.rows = "texts", .fresh = "the fresh classifier", .cut = "longer texts are cut"});
}

/// A table, then all scores as one line of JSON.
void print(const train::ClassificationResult& result) {
  const auto number = [](double value) { return cpython::repr_float(value); };
  std::string line = fmt::format("{{\"rows\": {}", result.rows);
  const auto add = [&](const char* name, double value) {
    line += fmt::format(", \"{}\": {}", name, number(value));
  };
  if (result.problem == infer::ProblemType::kSingleLabel) {
    print_confusion(result.names, result.single.confusion);
    add("accuracy", result.single.accuracy);
    add("f1", result.single.f1);
    add("matthews", result.single.matthews);
  } else if (result.problem == infer::ProblemType::kMultiLabel) {
    print_scores("label", "rows", result.several.labels, result.several.all);
    add("subset_accuracy", result.several.subset_accuracy);
    add("macro_f1", tasks::macro_f1(result.several.labels));
    add("micro_f1", result.several.all.f1());
  }
  if (result.numeric) {
    add("pearson", result.pearson);
    add("spearman", result.spearman);
  }
  if (result.problem == infer::ProblemType::kRegression) add("mse", result.mean_squared_error);
  fmt::print("{}}}\n", line);
}

/// What the results of a text add to its fields.
OrderedJson json_of(const infer::ClassifyResult& result, const train::ClassificationRun& run) {
  if (run.problem() == infer::ProblemType::kRegression) {
    return {{"score", result.probabilities.front()}};
  }
  const std::vector<std::string>& names = run.labels().names();
  OrderedJson all;
  OrderedJson holding = OrderedJson::array();
  for (size_t i = 0; i < names.size(); ++i) {
    all[names[i]] = result.probabilities[i];
    if (infer::holds(result.probabilities[i])) holding.push_back(names[i]);
  }
  if (run.problem() == infer::ProblemType::kMultiLabel) {
    return {{"labels", std::move(holding)}, {"scores", std::move(all)}};
  }
  const auto best = static_cast<size_t>(result.best);
  return {
      {"label", names[best]}, {"score", result.probabilities[best]}, {"scores", std::move(all)}};
}

/// The second text of a JSONL object.
std::optional<std::string_view> pair_of(const TextRecord& record, const std::string& key) {
  const auto found = record.fields.find(key);
  if (found == record.fields.end() || !found->is_string()) return std::nullopt;
  return found->get_ref<const std::string&>();
}

void classify_records(train::ClassificationRun& run, const std::vector<TextRecord>& records,
                      const Typed& typed, bool prints) {
  std::vector<infer::ClassifyRequest> requests;
  requests.reserve(records.size());
  for (const TextRecord& record : records) {
    requests.push_back({.text = record.text, .pair = pair_of(record, typed.pair_key)});
  }
  const std::vector<infer::ClassifyResult> results = run.classify(requests);
  for (size_t i = 0; prints && i < results.size(); ++i) {
    if (typed.json) {
      OrderedJson line = fields_of(records[i], typed.text_key);
      line.update(json_of(results[i], run));
      print_json(line);
    } else {
      fmt::print("{}\t{}\n", run.columns_of(results[i]), records[i].text);
    }
  }
  flush_output();
}

/// The texts of the command line, then those of a file.
void classify_texts(train::ClassificationRun& run, const Typed& typed, bool prints) {
  std::vector<TextRecord> records;
  for (const std::string& text : typed.texts) records.push_back({.text = text});
  if (!records.empty()) classify_records(run, records, typed, prints);
  if (typed.input.empty()) return;
  TextReader reader(typed.input, typed.text_key);
  for (records = reader.next(kTextsTogether); !records.empty();
       records = reader.next(kTextsTogether)) {
    classify_records(run, records, typed, prints);
  }
}

void settle(Typed& typed) {
  train::ClassificationOptions& o = typed.options;
  if (typed.texts == std::vector<std::string>{"-"} && typed.input.empty()) {
    typed.texts.clear();
    typed.input = "-";
  }
  const bool no_file = o.train_file.empty() && o.eval_file.empty() && o.predict_file.empty();
  if (no_file && typed.texts.empty() && typed.input.empty()) {
    fail("one of --train-file, --eval-file, --predict-file, --input or a TEXT is needed");
  }
  if (o.output_dir.empty() && !(o.train_file.empty() && o.predict_file.empty())) {
    fail("--train-file and --predict-file need --output-dir");
  }
  typed.task.settle(o);
}

/// The part of one rank. With one rank this is the whole run.
int run_on(comm::Communicator& world, train::ClassificationOptions o, const Typed& typed,
           std::shared_ptr<const infer::ModelDefinition> definition) {
  refuse_shared_input(world, std::array{o.train_file, o.eval_file, o.predict_file, typed.input});
  const RankDevice own = open_on_rank(typed.task.training.device, world);
  Device* const device = own.device.get();
  o.arithmetic = typed.task.training.device.arithmetic(*device, !o.train_file.empty());
  train::ClassificationRun run(o, std::move(definition), *device, *own.world);
  if (!o.train_file.empty() && run.train(stop_requested) == train::RunEnd::kStopped) {
    return stopped_status(false);
  }
  if (!o.eval_file.empty()) {
    const train::ClassificationResult result = run.evaluate();
    if (world.leads()) print(result);
  }
  if (!o.predict_file.empty()) run.predict();
  classify_texts(run, typed, world.leads());
  return 0;
}

}  // namespace

int run_classify(Arguments arguments) {
  Typed typed;
  Options table("bertha classify",
                "Fine-tunes a classifier of texts or pairs of texts, evaluates it and classifies "
                "texts. The evaluation gives accuracy, F1 and Matthews correlation with a "
                "table of what was taken for what, and Pearson's and Spearman's correlation if all "
                "labels are numbers; for several labels a text micro and macro F1 and the share of "
                "texts whose labels are all right. Its last output line is JSON. Files are TSV "
                "like those of GLUE, CSV, JSON lines or JSON arrays. Ctrl-C or "
                "SIGTERM during training saves the "
                "state and ends with status 75; the same command then continues where it stopped.");
  table.example(
      "bertha classify --train-file=train.tsv --eval-file=dev.tsv --output-dir=sentiment "
      "--checkpoint=bert-base-uncased",
      "Fine-tune a classifier, then evaluate it");
  table.example(
      "bertha classify --predict-file=new.tsv --output-dir=results --checkpoint=sentiment",
      "Classify texts with it");
  table.example("bertha classify --checkpoint=sentiment 'What a film!' --json",
                "One text, with all probabilities");
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
