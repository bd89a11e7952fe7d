// bertha prepare without a stage: what create_datasets_from_start.sh does, or one action of
// bertPrep.py, under the working folder and with the recipe's names.

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "cli/rank_options.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "prepare/pipeline.h"

namespace bertha::cli {
namespace {

void declare_recipe_options(Options& options, prepare::PipelineSettings& settings) {
  options.heading("options of bertPrep.py");
  options.value(
      "action", settings.action,
      "run one action: download, text_formatting, sharding, create_hdf5_files, pack or verify "
      "(default: all in turn, and a download if the dump or the vocabulary is missing)");
  options.value("dataset", settings.dataset,
                "wikicorpus_en, bookscorpus or books_wiki_en_corpus; for a download also "
                "google_pretrained_weights and squad");
  options.value("input_files", settings.input_files, "files to shard, separated by commas");
  options.value("n_training_shards", settings.shards.training, "number of shards for training");
  options.value("n_test_shards", settings.shards.test, "number of shards for tests");
  options.value("fraction_test_set", settings.test_fraction, "fraction of the sentences for tests");
  options.value("n_processes", settings.threads, "number of threads")
      .alias("threads", "n_processes");
  options.value("random_seed", settings.random_seed, "random seed of the instances");
  options.value("dupe_factor", settings.dupe_factor,
                "number of passes over the text, each with other masks");
  options.value("masked_lm_prob", settings.masked_lm_prob, "fraction of the tokens to mask");
  options.value("max_seq_length", settings.max_seq_length,
                "for create_hdf5_files (512 when not given), pack and verify (both phases)");
  options.value("max_predictions_per_seq", settings.max_predictions,
                "maximum number of masked tokens, with --max-seq-length");
  options.value("max_sequences_per_pack", settings.sequences_per_pack,
                "maximum number of sequences in a packed row");
  options.value("do_lower_case", settings.lower_case, "0 for a cased vocabulary");
  options.file("vocab_file", settings.vocab_file, "vocabulary, one piece on each line");
  options.value("skip_wikiextractor", settings.skip_extractor,
                "1: the articles have already been extracted");
  options.accepted("segmentation_method", true, "the sentence splitter is built in");
  options.accepted("interactive_json_config_generator", true, "the recipe does not use it either");
}

Options declare(prepare::PipelineSettings& settings, std::vector<std::string>& scope) {
  Options options("bertha prepare",
                  "Makes the HDF5 shards of both phases from a downloaded dump and books, in the "
                  "working folder. A finished stage is skipped; an unfinished one runs again. "
                  "With the name of a stage it runs that stage alone.");
  options.example("bertha prepare wiki_only --working-dir=data",
                  "Shards of both phases from Wikipedia; what is missing is downloaded");
  options.example("bertha prepare wiki_books --working-dir=data --dry-run",
                  "What would be done with Wikipedia and books");
  declare_stages(options);
  options.positional("[wiki_only | wiki_books]", scope, 0,
                     "the corpus: Wikipedia alone (default), or with books");
  options.folder("working_dir", settings.root,
                 "working folder; without the option that of $BERT_PREP_WORKING_DIR");
  options.flag("dry_run", settings.dry_run, "show what would be done, and do nothing");
  options.flag("stream", settings.stream,
               "write neither extracted/ nor formatted_one_article_per_line/; the dump is then "
               "read twice, and of its text only the shards are kept");
  options.value(
      "mirror", settings.mirror,
      "address that replaces scheme and host of every download: http://mirror/path/; or a "
      "folder with the files, for example one that wget -r made");
  options.flag("allow_truncated", settings.allow_truncated,
               "accept a dump that is cut off, and use its complete pages");
  options.choice("lists", settings.lists, {"none", "prose", "all"},
                 "list items of articles to keep; prose: whole sentences");
  options.choice("token_rules", settings.token_rules, {"recipe", "hf"},
                 "rules for rare characters");
  declare_recipe_options(options, settings);
  return options;
}

/// Takes the corpus (wiki_only or wiki_books) into the settings.
void take_scope(const std::vector<std::string>& words, prepare::PipelineSettings& settings) {
  if (words.size() > 1) fail("prepare: expected one of wiki_only and wiki_books");
  const std::string scope = words.empty() ? "wiki_only" : words.front();
  if (scope == "download") {
    fail("prepare: download is no stage here: bertha download NAME, or --action download");
  }
  if (scope != "wiki_only" && scope != "wiki_books") {
    throw UsageError(
        fmt::format("prepare: no stage and no corpus \"{}\"{}", scope, similar_stage(scope)));
  }
  if (settings.root.empty()) fail("prepare: set BERT_PREP_WORKING_DIR or give --working-dir");
  if (settings.dataset.empty()) {
    settings.dataset = scope == "wiki_books" ? prepare::kBoth : prepare::kWiki;
  }
}

}  // namespace

int run_prepare_all(Arguments arguments, comm::Communicator& world) {
  prepare::PipelineSettings settings;
  settings.threads = thread_count();
  if (const char* set = std::getenv("BERT_PREP_WORKING_DIR"); set != nullptr) settings.root = set;
  std::vector<std::string> scope;
  Options options = declare(settings, scope);
  options.parse(arguments);
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  settings.rank_threads = options.given("n_processes") ? settings.threads : threads_beside(world);
  take_scope(scope, settings);
  check_threads("n-processes", settings.threads);
  const auto open_progress = [](const std::string& label, const std::string& unit) {
    return open_status_line(label, unit);
  };
  const auto download = [](const prepare::DownloadOptions& wanted) {
    download_and_print(wanted, false);
  };
  prepare::run_pipeline(
      settings, world, {.print = print_line, .open_progress = open_progress, .download = download});
  return 0;
}

}  // namespace bertha::cli
