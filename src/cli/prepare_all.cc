// `bertha prepare` without a stage: what create_datasets_from_start.sh does, or one action of
// bertPrep.py, under the working folder and with the recipe's names.

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "cli/prepare_steps.h"
#include "cli/ranks.h"
#include "core/error.h"
#include "corpus/wikitext.h"
#include "dataset/instances.h"
#include "dataset/packing/packing.h"
#include "io/archive/crc32.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

Options declare(PrepareSettings& settings) {
  Options options("bertha prepare",
                  "From a downloaded dump and books to the HDF5 shards of both phases, under the "
                  "working folder. What is done is skipped, what is half done is done anew. "
                  "bertha prepare STAGE --help explains a stage alone.");
  if (const char* set = std::getenv("BERT_PREP_WORKING_DIR"); set != nullptr) settings.root = set;
  options.positional("[wiki_only | wiki_books]", settings.scope, 0,
                     "the corpus: Wikipedia alone (default), or with books");
  options.value("working_dir", settings.root, "the working folder ($BERT_PREP_WORKING_DIR)");
  options.flag("dry_run", settings.dry_run, "say what would be done, and do nothing");
  options.flag("stream", settings.stream,
               "no extracted/ and no formatted_one_article_per_line/: the dump is read twice, and "
               "of its text only the shards are kept, which both phases and a restart need");
  options.value("mirror", settings.mirror, "take https://host/… of every download from here");
  options.flag("allow_truncated", settings.allow_truncated, "a dump that is cut off is no error");
  options.value("lists", settings.lists, "list items of articles: none, prose or all");
  options.value("token_rules", settings.token_rules, "recipe or hf: whose rules for rare text");
  options.heading("As bertPrep.py");
  options.value("action", settings.action,
                "download, text_formatting, sharding, create_hdf5_files, pack or verify alone "
                "(default: all in turn, a download where dump or vocabulary are missing)");
  options.value("dataset", settings.dataset,
                "wikicorpus_en, bookscorpus or books_wiki_en_corpus; to download also "
                "google_pretrained_weights and squad");
  options.value("input_files", settings.input_files, "files to shard, set apart by commas");
  options.value("n_training_shards", settings.shards.training, "shards for training");
  options.value("n_test_shards", settings.shards.test, "shards for tests");
  options.value("fraction_test_set", settings.test_fraction, "share of sentences for tests");
  options.value("n_processes", settings.threads, "threads to use").alias("threads", "n_processes");
  options.value("random_seed", settings.random_seed, "seed of the instances");
  options.value("dupe_factor", settings.dupe_factor, "passes over the text");
  options.value("masked_lm_prob", settings.masked_lm_prob, "share of tokens to mask");
  options.value("max_seq_length", settings.max_seq_length,
                "for create_hdf5_files (512 when not given), pack and verify (both phases)");
  options.value("max_predictions_per_seq", settings.max_predictions, "with --max_seq_length");
  options.value("max_sequences_per_pack", settings.sequences_per_pack, "sequences a packed row");
  options.value("do_lower_case", settings.lower_case, "0 for a cased vocabulary");
  options.value("vocab_file", settings.vocab_file, "vocabulary, one piece a line");
  options.value("skip_wikiextractor", settings.skip_extractor, "1: the articles are extracted");
  options.accepted("segmentation_method", true, "the sentence splitter is built in");
  options.accepted("interactive_json_config_generator", true, "the recipe does not use it either");
  return options;
}

void check(PrepareSettings& s) {
  if (s.scope.size() > 1) fail("prepare: expected one of wiki_only and wiki_books");
  const std::string scope = s.scope.empty() ? "wiki_only" : s.scope.front();
  if (scope == "download") {
    fail("prepare: download is no stage here: bertha download NAME, or --action download");
  }
  if (scope != "wiki_only" && scope != "wiki_books") {
    fail("prepare: no stage and no corpus \"{}\"; bertha prepare --help lists them", scope);
  }
  if (s.root.empty()) fail("prepare: set BERT_PREP_WORKING_DIR or give --working_dir");
  if (s.dataset.empty()) s.dataset = scope == "wiki_books" ? kBoth : kWiki;
  const bool is_corpus = s.dataset == kWiki || s.dataset == kBooks || s.dataset == kBoth;
  if (!is_corpus && s.action != "download") {
    fail("--dataset {}: expected {}, {} or {}", s.dataset, kWiki, kBooks, kBoth);
  }
  check_threads("n_processes", s.threads);
  parse_token_rules(s.token_rules);
  corpus::parse_list_items(s.lists);
  dataset::check_options({.max_seq_length = s.max_seq_length.value_or(512),
                          .max_predictions_per_seq = s.max_predictions,
                          .dupe_factor = s.dupe_factor,
                          .masked_lm_prob = s.masked_lm_prob});
  if (s.sequences_per_pack < 1 || s.sequences_per_pack > dataset::kMostSequencesPerRow) {
    fail("--max_sequences_per_pack {}: expected 1 to {}", s.sequences_per_pack,
         dataset::kMostSequencesPerRow);
  }
}

std::string name_of(const Step& step) {
  std::string name = fs::path(step.work.manifest).stem().string();
  if (name.starts_with(step.work.stage)) return name;
  return name.empty() ? step.work.stage : step.work.stage + " " + name;
}

bool recorded(const Step& step) {
  return !step.work.manifest.empty();
}

/// The ranks go through the same steps, or they see different files.
void agree_on(comm::Communicator& world, const std::vector<Step>& steps) {
  uint32_t sum = 0;
  for (const Step& step : steps) {
    const std::string name = step.work.stage + step.work.manifest;
    sum = io::crc32(std::as_bytes(std::span(name)), sum);
  }
  const std::vector<uint64_t> sums = world.all_gather(sum, comm::Stage::kStart);
  for (size_t rank = 1; rank < sums.size(); ++rank) {
    if (sums[rank] == sums[0]) continue;
    fail("rank {} on {} sees another working folder than rank 0 on {}", rank,
         world.host(static_cast<int64_t>(rank)), world.host(0));
  }
}

/// Looks at steps in turn, on rank 0.
class Looker {
 public:
  explicit Looker(bool dry_run) : dry_run_(dry_run) {}

  /// Whether the step is to be run now; its former manifest is then gone.
  bool begins(const Step& step) {
    std::string why = "what is whole already is kept";
    if (is_done(step, why)) {
      spdlog::info("{}: {}", name_of(step),
                   pending_ ? "would be skipped if the stages before make the same as before"
                            : "done before, skipped");
      return false;
    }
    spdlog::info("{}: {} ({})", name_of(step), dry_run_ ? "would run" : "runs", why);
    pending_ = dry_run_;
    if (!dry_run_ && recorded(step)) prepare::begin_stage(step.work);
    return !dry_run_;
  }

 private:
  bool is_done(const Step& step, std::string& why) const {
    if (!recorded(step)) return false;
    if (step.always) {
      why = "asked for";
      return false;
    }
    try {
      return prepare::is_done(step.work, why);
    } catch (const Error&) {
      if (!pending_) throw;
      why = "a stage before it is to be done";
      return false;
    }
  }

  bool dry_run_;
  bool pending_ = false;  ///< in a dry run what follows a stage to be done is to be done too
};

void run_step(const Step& step, comm::Communicator& world) {
  if (!step.by_all_ranks && !world.leads()) return;
  const Made made = step.run(step.by_all_ranks ? world : comm::alone());
  if (!world.leads()) return;
  if (recorded(step)) prepare::finish_stage(step.work, made.counts, made.outputs);
  fmt::print("{}: {}\n", name_of(step), made.said);
  std::fflush(stdout);  // a log file shows how far it is
}

}  // namespace

int prepare_all(Arguments arguments, comm::Communicator& world) {
  PrepareSettings settings;
  Options options = declare(settings);
  if (!options.parse(arguments)) {
    if (world.leads()) fmt::print("{}", options.help());
    return 0;
  }
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  settings.rank_threads = options.given("n_processes") ? settings.threads : threads_beside(world);
  check(settings);
  const std::vector<Step> steps = plan_steps(settings);
  agree_on(world, steps);
  Looker looker(settings.dry_run);
  for (const Step& step : steps) {
    bool begins = world.leads() && looker.begins(step);
    world.wait_for_all(comm::Stage::kBarrier);
    world.broadcast(std::as_writable_bytes(std::span(&begins, 1)), comm::Stage::kStart);
    if (begins) run_step(step, world);
  }
  world.wait_for_all(comm::Stage::kBarrier);
  return 0;
}

}  // namespace bertha::cli
