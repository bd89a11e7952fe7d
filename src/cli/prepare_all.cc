// `bertha prepare` without a stage: what create_datasets_from_start.sh does, or one action of
// bertPrep.py, under the working folder and with the recipe's names.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "core/error.h"
#include "core/threads.h"
#include "corpus/extractor.h"
#include "corpus/formatting.h"
#include "corpus/manifest.h"
#include "corpus/sharding.h"
#include "train/dllogger.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWiki = "wikicorpus_en";
constexpr const char* kBooks = "bookscorpus";
constexpr const char* kBoth = "books_wiki_en_corpus";

struct Settings {
  std::vector<std::string> scope;
  std::string root;
  std::string action;
  std::string dataset;
  std::string input_files;
  std::string vocab_file;
  std::string lists = "prose";
  std::string token_rules = "recipe";
  corpus::ShardCounts shards{256, 256};
  double test_fraction = 0.1;
  int64_t threads = thread_count();
  int64_t random_seed = 12345;
  int64_t dupe_factor = 5;
  double masked_lm_prob = 0.15;
  int64_t max_seq_length = 512;
  int64_t max_predictions = 20;
  int64_t lower_case = 1;
  int64_t skip_extractor = 0;
  bool allow_truncated = false;
  bool dry_run = false;
};

/// What a stage has made.
struct Made {
  std::map<std::string, int64_t> counts;
  std::vector<std::string> outputs;
  std::string said;
};

struct Step {
  corpus::StageWork work;
  std::function<Made()> run;
};

Options declare(Settings& settings) {
  Options options("bertha prepare",
                  "From a downloaded dump and books to the HDF5 shards of both phases, under the "
                  "working folder. What is done is skipped, what is half done is done anew. "
                  "bertha prepare STAGE --help explains a stage alone.");
  if (const char* set = std::getenv("BERT_PREP_WORKING_DIR"); set != nullptr) settings.root = set;
  options.positional("[wiki_only | wiki_books]", settings.scope, 0,
                     "the corpus: Wikipedia alone (default), or with books");
  options.value("working_dir", settings.root, "the working folder ($BERT_PREP_WORKING_DIR)");
  options.flag("dry_run", settings.dry_run, "say what would be done, and do nothing");
  options.flag("allow_truncated", settings.allow_truncated, "a dump that is cut off is no error");
  options.value("lists", settings.lists, "list items of articles: none, prose or all");
  options.value("token_rules", settings.token_rules, "recipe or hf: whose rules for rare text");
  options.heading("As bertPrep.py");
  options.value("action", settings.action,
                "text_formatting, sharding or create_hdf5_files alone (default: all)");
  options.value("dataset", settings.dataset, "wikicorpus_en, bookscorpus or books_wiki_en_corpus");
  options.value("input_files", settings.input_files, "files to shard, set apart by commas");
  options.value("n_training_shards", settings.shards.training, "shards for training");
  options.value("n_test_shards", settings.shards.test, "shards for tests");
  options.value("fraction_test_set", settings.test_fraction, "share of sentences for tests");
  options.value("n_processes", settings.threads, "threads to use").alias("threads", "n_processes");
  options.value("random_seed", settings.random_seed, "seed of the instances");
  options.value("dupe_factor", settings.dupe_factor, "passes over the text");
  options.value("masked_lm_prob", settings.masked_lm_prob, "share of tokens to mask");
  options.value("max_seq_length", settings.max_seq_length, "for create_hdf5_files");
  options.value("max_predictions_per_seq", settings.max_predictions, "for create_hdf5_files");
  options.value("do_lower_case", settings.lower_case, "0 for a cased vocabulary");
  options.value("vocab_file", settings.vocab_file, "vocabulary, one piece a line");
  options.value("skip_wikiextractor", settings.skip_extractor, "1: the articles are extracted");
  options.accepted("segmentation_method", true, "the sentence splitter is built in");
  options.accepted("interactive_json_config_generator", true, "the recipe does not use it either");
  return options;
}

/// The folders of the recipe.
class Folders {
 public:
  explicit Folders(const Settings& settings) : s_(settings) {}

  std::string of(const std::string& name) const { return s_.root + "/" + name; }
  std::string manifest(const std::string& name) const { return of("manifests/" + name + ".json"); }
  std::string dump() const {
    for (const char* ending : {".xml", ".xml.bz2", ".xml.gz"}) {
      const std::string path = of(fmt::format("download/{0}/{0}{1}", kWiki, ending));
      if (fs::exists(path)) return path;
    }
    return {};
  }
  std::string formatted(const std::string& dataset) const {
    return of(fmt::format("formatted_one_article_per_line/{}_one_{}_per_line.txt", dataset,
                          dataset == kBooks ? "book" : "article"));
  }
  std::string sharded(const std::string& dataset) const {
    return of(fmt::format("sharded_training_shards_{}_test_shards_{}_fraction_{}/{}",
                          s_.shards.training, s_.shards.test, train::python_repr(s_.test_fraction),
                          dataset));
  }
  std::string hdf5_name(int64_t length, int64_t predictions) const {
    return fmt::format(
        "hdf5_lower_case_{}_seq_len_{}_max_pred_{}_masked_lm_prob_{}_random_seed_{}_dupe_factor_{}",
        s_.lower_case, length, predictions, train::python_repr(s_.masked_lm_prob), s_.random_seed,
        s_.dupe_factor);
  }

 private:
  const Settings& s_;
};

std::vector<std::string> files_of(const std::string& folder, const std::string& prefix,
                                  const std::string& ending) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(ending)) files.push_back(entry->path().string());
  }
  std::ranges::sort(files);
  return files;
}

/// Shards of an earlier run with other inputs.
void remove_files(const std::vector<std::string>& files) {
  for (const std::string& file : files) fs::remove(file);
}

std::string shards_manifest(const Folders& folders, const Settings& s) {
  return folders.manifest(fs::path(folders.sharded(s.dataset)).parent_path().filename().string() +
                          "_" + s.dataset);
}

Step extract_step(const Settings& s, const Folders& folders) {
  const std::string dump = folders.dump();
  if (dump.empty()) {
    fail("{0}: no dump: expected download/{1}/{1}.xml, .xml.bz2 or .xml.gz", s.root, kWiki);
  }
  corpus::ExtractOptions options;
  options.output_dir = folders.of("extracted/") + kWiki;
  options.file_bytes = int64_t{100} << 20;
  options.threads = s.threads;
  options.wikitext.lists = corpus::parse_list_items(s.lists);
  Step step{{"extract",
             s.root,
             folders.manifest(std::string("extract_") + kWiki),
             {dump},
             {{"lists", s.lists}, {"allow_truncated", s.allow_truncated ? "1" : "0"}}},
            {}};
  step.run = [=, allow = s.allow_truncated] {
    const corpus::ExtractCounts counts = corpus::extract_dump(dump, options);
    if (!counts.damage.empty()) {
      if (!allow) fail("{}: {}; --allow_truncated takes its whole pages", dump, counts.damage);
      spdlog::warn("{}: {}; its whole pages were taken", dump, counts.damage);
    }
    return Made{{{"pages", counts.dump.pages},
                 {"articles", counts.written},
                 {"without_prose", counts.without_prose},
                 {"redirects", counts.dump.redirects}},
                counts.files,
                fmt::format("{} articles of {} pages", counts.written, counts.dump.pages)};
  };
  return step;
}

Step format_step(const Settings& s, const Folders& folders, const std::string& dataset) {
  const bool books = dataset == kBooks;
  const std::string input = folders.of((books ? "download/" : "extracted/") + dataset);
  const std::string output = folders.formatted(dataset);
  Step step{{"format", s.root, folders.manifest("format_" + dataset), {}, {}}, {}};
  const std::string extracted = folders.manifest(std::string("extract_") + kWiki);
  if (books) {
    step.work.inputs = files_of(input, "", ".txt");
    if (step.work.inputs.empty()) {
      fail("{}: no books (.txt): their former sources are gone; put your own there, a file each",
           input);
    }
  } else if (s.skip_extractor == 0) {
    step.work.inputs = {extracted};
  }
  step.run = [=] {
    make_folder(fs::path(output).parent_path().string());
    const corpus::FormatCounts counts =
        books ? corpus::format_books(input, output) : corpus::format_articles(input, output);
    return Made{{{"documents", counts.documents}, {"empty", counts.empty}},
                {output},
                fmt::format("{} {}", counts.documents, books ? "books" : "articles")};
  };
  return step;
}

std::vector<std::string> shard_inputs(const Settings& s, const Folders& folders) {
  std::vector<std::string> inputs;
  std::stringstream list(s.input_files);
  for (std::string file; std::getline(list, file, ',');) inputs.push_back(file);
  if (!inputs.empty()) return inputs;
  if (s.dataset != kWiki) inputs.push_back(folders.formatted(kBooks));
  if (s.dataset != kBooks) inputs.push_back(folders.formatted(kWiki));
  return inputs;
}

Step shard_step(const Settings& s, const Folders& folders) {
  corpus::ShardOptions options{folders.sharded(s.dataset), s.dataset, s.shards, s.test_fraction,
                               s.threads};
  check_shard_options(options);
  const std::vector<std::string> inputs = shard_inputs(s, folders);
  Step step{{"shard", s.root, shards_manifest(folders, s), inputs, {}}, {}};
  step.run = [=] {
    make_folder(options.output_dir);
    remove_files(files_of(options.output_dir, options.dataset, ".txt"));
    const corpus::ShardTotals totals = corpus::write_shards(inputs, options);
    return Made{{{"articles", totals.articles}, {"sentences", totals.sentences}},
                totals.files,
                describe(totals, options)};
  };
  return step;
}

Step instances_step(const Settings& s, const Folders& folders, int64_t length,
                    int64_t predictions) {
  const std::string name = folders.hdf5_name(length, predictions);
  const std::string output = folders.of(name + "/" + s.dataset);
  const std::string vocabulary =
      s.vocab_file.empty()
          ? folders.of("download/google_pretrained_weights/uncased_L-24_H-1024_A-16/vocab.txt")
          : s.vocab_file;
  if (!fs::exists(vocabulary)) fail("{}: no vocabulary there; --vocab_file names one", vocabulary);
  std::vector<std::string> words = {"--input_file=" + folders.sharded(s.dataset),
                                    "--output_file=" + output,
                                    "--vocab_file=" + vocabulary,
                                    fmt::format("--max_seq_length={}", length),
                                    fmt::format("--max_predictions_per_seq={}", predictions),
                                    fmt::format("--masked_lm_prob={}", s.masked_lm_prob),
                                    fmt::format("--random_seed={}", s.random_seed),
                                    fmt::format("--dupe_factor={}", s.dupe_factor),
                                    "--token_rules=" + s.token_rules,
                                    fmt::format("--threads={}", s.threads),
                                    s.lower_case > 0 ? "--do_lower_case" : "--cased"};
  Step step{{"instances",
             s.root,
             folders.manifest(name + "_" + s.dataset),
             {shards_manifest(folders, s), vocabulary},
             {{"token_rules", s.token_rules}}},
            {}};
  step.run = [=, dataset = s.dataset] {
    make_folder(output);
    remove_files(files_of(output, dataset, ".hdf5"));
    prepare_instances(words);
    std::vector<std::string> files = files_of(output, dataset, ".hdf5");
    const auto shards = static_cast<int64_t>(files.size());
    return Made{{{"shards", shards}}, std::move(files), fmt::format("{} shards", shards)};
  };
  return step;
}

void add_formatting(const Settings& s, const Folders& folders, std::vector<Step>& steps) {
  if (s.dataset != kWiki) steps.push_back(format_step(s, folders, kBooks));
  if (s.dataset == kBooks) return;
  if (s.skip_extractor == 0) steps.push_back(extract_step(s, folders));
  steps.push_back(format_step(s, folders, kWiki));
}

std::vector<Step> plan(const Settings& s) {
  const Folders folders(s);
  std::vector<Step> steps;
  if (s.action.empty() || s.action == "text_formatting") add_formatting(s, folders, steps);
  if (s.action.empty() || s.action == "sharding") steps.push_back(shard_step(s, folders));
  if (s.action.empty()) {
    steps.push_back(instances_step(s, folders, 128, 20));
    steps.push_back(instances_step(s, folders, 512, 80));
  } else if (s.action == "create_hdf5_files") {
    steps.push_back(instances_step(s, folders, s.max_seq_length, s.max_predictions));
  }
  if (steps.empty()) {
    fail("--action {}: expected text_formatting, sharding or create_hdf5_files{}", s.action,
         s.action == "download" ? "; bertha download gets dumps and weights" : "");
  }
  return steps;
}

void check(Settings& s) {
  if (s.root.empty()) fail("prepare: set BERT_PREP_WORKING_DIR or give --working_dir");
  if (s.scope.size() > 1) fail("prepare: expected one of wiki_only and wiki_books");
  const std::string scope = s.scope.empty() ? "wiki_only" : s.scope.front();
  if (scope != "wiki_only" && scope != "wiki_books") {
    fail("prepare: no stage and no corpus \"{}\"; bertha prepare --help lists them", scope);
  }
  if (s.dataset.empty()) s.dataset = scope == "wiki_books" ? kBoth : kWiki;
  if (s.dataset != kWiki && s.dataset != kBooks && s.dataset != kBoth) {
    fail("--dataset {}: expected {}, {} or {}", s.dataset, kWiki, kBooks, kBoth);
  }
  if (s.threads < 1) fail("--n_processes {}: expected 1 or more", s.threads);
}

std::string name_of(const Step& step) {
  return step.work.stage + " " + fs::path(step.work.manifest).stem().string();
}

void run_step(const Step& step) {
  corpus::begin_stage(step.work);
  const Made made = step.run();
  corpus::finish_stage(step.work, made.counts, made.outputs);
  fmt::print("{}: {}\n", name_of(step), made.said);
}

}  // namespace

int prepare_all(Arguments arguments) {
  Settings settings;
  Options options = declare(settings);
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  check(settings);
  bool pending = false;  // in a dry run what follows a stage to be done is to be done too
  for (const Step& step : plan(settings)) {
    std::string why = "a stage before it is to be done";
    if (!pending && corpus::is_done(step.work, why)) {
      spdlog::info("{}: done before, skipped", name_of(step));
      continue;
    }
    spdlog::info("{}: {} ({})", name_of(step), settings.dry_run ? "would run" : "runs", why);
    pending = settings.dry_run;
    if (!settings.dry_run) run_step(step);
  }
  return 0;
}

}  // namespace bertha::cli
