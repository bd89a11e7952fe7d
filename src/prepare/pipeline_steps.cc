#include "prepare/pipeline_steps.h"

#include <spdlog/spdlog.h>

#include <array>
#include <filesystem>
#include <sstream>
#include <utility>

#include "core/counted.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/file_status.h"
#include "io/list_files.h"
#include "prepare/extract_stage.h"
#include "prepare/format_stage.h"
#include "prepare/instances_stage.h"
#include "prepare/output_folder.h"
#include "prepare/pack_stage.h"
#include "prepare/shard_stage.h"
#include "prepare/verify_stage.h"
#include "prepare/working_folder.h"
#include "text/tokenizer_file.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;

constexpr std::array kPhases = {Phase{128, 20}, Phase{512, 80}};

/// A path of the pipeline as people read it: without the working folder.
std::string below(const PipelineSettings& s, const std::string& path) {
  return path.starts_with(s.root + "/") ? path.substr(s.root.size() + 1) : path;
}

/// The name of `bertha download` for a dataset.
std::string source_of(const std::string& dataset, const WorkingFolder& folder) {
  if (dataset == kWiki) return "wikipedia";
  if (dataset == kWeights) return "bert-large-uncased";
  if (dataset == kSquad) return "squad";
  if (dataset == kBooks) {
    fail("{}: the sources of its books are gone; put your own into {} (.txt, a file each)", kBooks,
         folder.books());
  }
  fail("--dataset {}: expected {}, {} or {} to download", dataset, kWiki, kWeights, kSquad);
}

/// Has no manifest: the download itself finds out what is there already.
Step download_step(const PipelineSettings& s, const WorkingFolder& folder,
                   const std::string& dataset) {
  DownloadOptions options;
  options.name = source_of(dataset, folder);
  options.mirror = s.mirror;
  options.output_dir = folder.path(dataset == kWiki ? "download" : "download/" + dataset);
  Step step{{"download", s.root, "", {}, {}},
            "download " + options.name,
            below(s, *options.output_dir),
            {}};
  step.run = [options](comm::Communicator&, const PipelineCallbacks& callbacks) {
    callbacks.download(options);
    return StepResult{{}, {}, "complete"};
  };
  return step;
}

ExtractOptions extract_options(const PipelineSettings& s, const WorkingFolder& folder) {
  ExtractOptions options;
  options.dumps = {folder.dump()};
  options.articles.output_dir = folder.extracted();
  options.articles.file_bytes = int64_t{100} << 20;
  options.articles.threads = s.threads;
  options.articles.allow_truncated = s.allow_truncated;
  options.articles.wikitext.lists = corpus::parse_list_items(s.lists);
  return options;
}

std::map<std::string, std::string> text_choices(const PipelineSettings& s) {
  return {{"lists", s.lists}, {"allow_truncated", s.allow_truncated ? "1" : "0"}};
}

void warn_of_damage(const std::string& dump, const std::string& damage) {
  if (!damage.empty()) spdlog::warn("{}: {}; its whole pages were taken", dump, damage);
}

StepResult extract(const ExtractOptions& options, const PipelineCallbacks& callbacks) {
  ExtractResult result = run_extract(options, callbacks.open_progress("extract", ""));
  corpus::ExtractCounts& counts = result.counts;
  if (!counts.damage.empty() && !options.articles.allow_truncated) {
    fail("{}: {}; --allow-truncated takes its whole pages", options.dumps.front(), counts.damage);
  }
  warn_of_damage(options.dumps.front(), counts.damage);
  return {{{"pages", counts.dump.pages},
           {"articles", counts.written},
           {"without_prose", counts.without_prose},
           {"redirects", counts.dump.redirects}},
          std::move(counts.files),
          fmt::format("{} of {}", counted(counts.written, "article"),
                      counted(counts.dump.pages, "page"))};
}

Step extract_step(const PipelineSettings& s, const WorkingFolder& folder) {
  const ExtractOptions options = extract_options(s, folder);
  Step step{{"extract", s.root, folder.extract_manifest(), options.dumps, text_choices(s)},
            "extract",
            below(s, options.articles.output_dir),
            {}};
  step.run = [options](comm::Communicator&, const PipelineCallbacks& callbacks) {
    return extract(options, callbacks);
  };
  return step;
}

StepResult format(const FormatOptions& options) {
  make_output_folder(fs::path(options.output_file).parent_path().string());
  const corpus::FormatCounts counts = run_format(options).counts;
  return {{{"documents", counts.documents}, {"empty", counts.empty}},
          {options.output_file},
          counted(counts.documents, options.books ? "book" : "article")};
}

Step format_step(const PipelineSettings& s, const WorkingFolder& folder,
                 const std::string& dataset) {
  const bool books = dataset == kBooks;
  const FormatOptions options{books ? folder.books() : folder.extracted(),
                              folder.formatted(dataset), books};
  Step step{{"format", s.root, folder.manifest("format_" + dataset), {}, {}},
            books ? "format books" : "format articles",
            below(s, options.output_file),
            {}};
  if (books) {
    step.work.inputs = folder.book_files();
  } else if (s.skip_extractor == 0) {
    step.work.inputs = {folder.extract_manifest()};
  }
  step.run = [options](comm::Communicator&, const PipelineCallbacks&) { return format(options); };
  return step;
}

std::vector<std::string> shard_inputs(const PipelineSettings& s, const WorkingFolder& folder) {
  std::vector<std::string> inputs;
  std::stringstream list(s.input_files);
  for (std::string file; std::getline(list, file, ',');) inputs.push_back(file);
  if (!inputs.empty()) return inputs;
  if (s.dataset != kWiki) inputs.push_back(folder.formatted(kBooks));
  if (s.dataset != kBooks) inputs.push_back(folder.formatted(kWiki));
  return inputs;
}

corpus::ShardOptions shard_options(const PipelineSettings& s, const WorkingFolder& folder) {
  corpus::ShardOptions options{folder.sharded(), s.dataset, s.shards, s.test_fraction, s.threads};
  check_options(options);
  return options;
}

/// The shards of an earlier run with other inputs go before the first new one is written.
void remove_old_shards(const corpus::ShardOptions& options) {
  remove_old_files(options.output_dir, options.dataset, ".txt");
}

StepResult result_of(const ShardResult& result) {
  warn_of_fewer_shards(result);
  return {{{"articles", result.totals.articles}, {"sentences", result.totals.sentences}},
          result.totals.files,
          describe(result)};
}

Step shard_step(const PipelineSettings& s, const WorkingFolder& folder) {
  const ShardOptions options{shard_inputs(s, folder), shard_options(s, folder)};
  Step step{{"shard", s.root, folder.shards_manifest(), options.inputs, {}},
            "shard",
            below(s, options.shards.output_dir),
            {}};
  step.run = [options](comm::Communicator&, const PipelineCallbacks& callbacks) {
    remove_old_shards(options.shards);
    const ShardResult result = run_shard(options, callbacks.open_progress("shard", ""));
    return result_of(result);
  };
  return step;
}

/// From the dump and the books, without the files of extract and format.
Step stream_step(const PipelineSettings& s, const WorkingFolder& folder) {
  StreamOptions options{"", extract_options(s, folder), shard_options(s, folder)};
  Step step{{"shard", s.root, folder.shards_manifest(), {}, text_choices(s)},
            "extract and shard",
            below(s, options.shards.output_dir),
            {}};
  if (s.dataset != kWiki) {
    options.books = folder.books();
    step.work.inputs = folder.book_files();
  }
  if (s.dataset == kBooks) {
    options.extract.dumps.clear();
  } else {
    step.work.inputs.push_back(options.extract.dumps.front());
  }
  step.run = [options](comm::Communicator&, const PipelineCallbacks& callbacks) {
    remove_old_shards(options.shards);
    const ShardResult result = run_stream(options, callbacks.open_progress("shard", ""));
    warn_of_damage(join(options.extract.dumps, ", "), result.totals.damage);
    return result_of(result);
  };
  return step;
}

StepResult make_instances(const InstancesOptions& options, const std::string& dataset,
                          comm::Communicator& world, const PipelineCallbacks& callbacks) {
  if (world.leads()) {
    make_output_folder(options.output);
    remove_old_files(options.output, dataset, ".hdf5");
  }
  world.wait_for_all(comm::Stage::kBarrier);
  const InstancesResult result =
      run_instances(options, world, callbacks.open_progress("instances", instances_unit(world)));
  callbacks.print(describe(result));
  std::vector<std::string> files = io::list_files(options.output, dataset, ".hdf5");
  const auto shards = static_cast<int64_t>(files.size());
  return {{{"shards", shards}}, std::move(files), counted(shards, "shard")};
}

Step instances_step(const PipelineSettings& s, const WorkingFolder& folder, const Phase& phase) {
  InstancesOptions options;
  options.vocab_file = folder.vocabulary();
  options.input = folder.sharded();
  options.output = folder.path(folder.hdf5_name(phase) + "/" + s.dataset);
  options.lower_case = s.lower_case > 0;
  options.token_rules = text::parse_token_rules(s.token_rules);
  options.threads = s.rank_threads;
  options.instances = {.max_seq_length = phase.length,
                       .max_predictions_per_seq = phase.predictions,
                       .dupe_factor = s.dupe_factor,
                       .masked_lm_prob = s.masked_lm_prob,
                       .random_seed = s.random_seed};
  Step step{{"instances",
             s.root,
             folder.hdf5_manifest(folder.hdf5_name(phase)),
             {folder.shards_manifest(), options.vocab_file},
             {{"token_rules", s.token_rules}}},
            fmt::format("instances of {} tokens", phase.length),
            below(s, options.output),
            {}};
  step.on_all_ranks = true;
  step.run = [=, dataset = s.dataset](comm::Communicator& world,
                                      const PipelineCallbacks& callbacks) {
    return make_instances(options, dataset, world, callbacks);
  };
  return step;
}

StepResult pack(const PackOptions& options, comm::Communicator& world,
                const PipelineCallbacks& callbacks) {
  const PackResult result =
      run_pack(options, world, callbacks.open_progress("pack", kPackUnit),
               [&](const dataset::Packing& packing) { callbacks.print(describe(packing)); });
  callbacks.print(describe(result));
  std::vector<std::string> files = dataset::packed_files(options.output_dir);
  const auto made = static_cast<int64_t>(files.size());
  files.push_back(result.metadata);
  return {{{"files", made}}, std::move(files), counted(made, "file")};
}

Step pack_step(const PipelineSettings& s, const WorkingFolder& folder, const Phase& phase) {
  PackOptions options;
  options.input_dir = folder.path(folder.hdf5_name(phase) + "/" + s.dataset);
  options.output_dir = folder.path(folder.packed_name(phase) + "/" + s.dataset);
  options.overwrite = true;
  options.packing.row_length = phase.length;
  options.packing.max_predictions = phase.predictions;
  options.packing.sequences_per_row = s.sequences_per_pack;
  options.packing.threads = s.rank_threads;
  Step step{{"pack",
             s.root,
             folder.hdf5_manifest(folder.packed_name(phase)),
             {folder.hdf5_manifest(folder.hdf5_name(phase))},
             {{"max_sequences_per_pack", std::to_string(s.sequences_per_pack)}}},
            fmt::format("pack into rows of {} tokens", phase.length),
            below(s, options.output_dir),
            {}};
  step.on_all_ranks = true;
  step.run = [options](comm::Communicator& world, const PipelineCallbacks& callbacks) {
    return pack(options, world, callbacks);
  };
  return step;
}

StepResult verify(const VerifyOptions& options, const std::string& name, comm::Communicator& world,
                  const PipelineCallbacks& callbacks) {
  const VerifyResult result =
      run_verify(options, world, callbacks.open_progress("verify", "files"));
  log_findings(result);
  callbacks.print(describe(result));
  if (!result.sound) {
    world.wait_for_all(comm::Stage::kBarrier);  // the error below would end ranks that still log
    fail("{}: not sound; the lines above say where", name);
  }
  return {{}, {}, "sound"};
}

/// Reads all rows of a folder of shards; `name` is its name and that of its manifest.
Step verify_step(const PipelineSettings& s, const WorkingFolder& folder, const std::string& name,
                 const Phase& phase) {
  const VerifyOptions options{.input_dir = folder.path(name + "/" + s.dataset),
                              .vocab_file = folder.vocabulary(),
                              .max_predictions = phase.predictions,
                              .threads = s.rank_threads};
  Step step{
      {"verify",
       s.root,
       folder.manifest("verify_" + name + "_" + s.dataset),
       {folder.hdf5_manifest(name), folder.vocabulary()},
       {}},
      fmt::format("verify {} of {} tokens",
                  name == folder.packed_name(phase) ? "packed rows" : "instances", phase.length),
      below(s, options.input_dir),
      {}};
  step.on_all_ranks = true;
  step.run = [options, name](comm::Communicator& world, const PipelineCallbacks& callbacks) {
    return verify(options, name, world, callbacks);
  };
  return step;
}

/// Makes the text that the shard stage reads from the dump and the books.
void add_text(const PipelineSettings& s, const WorkingFolder& folder, std::vector<Step>& steps) {
  if (s.dataset != kWiki) steps.push_back(format_step(s, folder, kBooks));
  if (s.dataset == kBooks) return;
  if (s.skip_extractor == 0) steps.push_back(extract_step(s, folder));
  steps.push_back(format_step(s, folder, kWiki));
}

void add_downloads(const PipelineSettings& s, const WorkingFolder& folder,
                   std::vector<Step>& steps) {
  if (s.dataset != kBooks && s.skip_extractor == 0 && !io::exists(folder.dump())) {
    steps.push_back(download_step(s, folder, kWiki));
  }
  if (!io::exists(folder.vocabulary())) {
    if (!s.vocab_file.empty()) fail("{}: no vocabulary there", s.vocab_file);
    steps.push_back(download_step(s, folder, kWeights));
  }
}

/// A wrong vocabulary must be known before anything that takes long.
void check_vocabulary(const std::string& path) {
  if (io::exists(path)) text::load_tokenizer(path).vocabulary.specials();
}

std::vector<Step> all_steps(const PipelineSettings& s, const WorkingFolder& folder) {
  std::vector<Step> steps;
  check_vocabulary(folder.vocabulary());
  add_downloads(s, folder, steps);
  if (s.stream) {
    steps.push_back(stream_step(s, folder));
  } else {
    add_text(s, folder, steps);
    steps.push_back(shard_step(s, folder));
  }
  for (const Phase& phase : kPhases) {
    steps.push_back(instances_step(s, folder, phase));
    steps.push_back(pack_step(s, folder, phase));
  }
  for (const Phase& phase : kPhases) {
    steps.push_back(verify_step(s, folder, folder.hdf5_name(phase), phase));
    steps.push_back(verify_step(s, folder, folder.packed_name(phase), phase));
  }
  return steps;
}

/// The phase that was asked for, or both.
std::vector<Phase> chosen_phases(const PipelineSettings& s) {
  if (s.max_seq_length) return {{*s.max_seq_length, s.max_predictions}};
  return {kPhases.begin(), kPhases.end()};
}

/// The verify action reads the folders that have been made.
void add_checks(const PipelineSettings& s, const WorkingFolder& folder, std::vector<Step>& steps) {
  for (const Phase& phase : chosen_phases(s)) {
    for (const std::string& name : {folder.hdf5_name(phase), folder.packed_name(phase)}) {
      if (!io::exists(folder.hdf5_manifest(name))) continue;
      steps.push_back(verify_step(s, folder, name, phase));
      steps.back().always = true;
    }
  }
  if (steps.empty()) fail("{}: no finished HDF5 shards of {} to verify", s.root, s.dataset);
}

}  // namespace

std::vector<Step> plan_steps(const PipelineSettings& s) {
  const WorkingFolder folder(s);
  if (s.action.empty()) return all_steps(s, folder);
  std::vector<Step> steps;
  if (s.action == "download") {
    steps.push_back(download_step(s, folder, s.dataset));
  } else if (s.action == "text_formatting") {
    add_text(s, folder, steps);
  } else if (s.action == "sharding") {
    steps.push_back(s.stream ? stream_step(s, folder) : shard_step(s, folder));
  } else if (s.action == "create_hdf5_files") {
    const Phase phase{s.max_seq_length.value_or(512), s.max_predictions};
    steps.push_back(instances_step(s, folder, phase));
  } else if (s.action == "pack") {
    for (const Phase& phase : chosen_phases(s)) steps.push_back(pack_step(s, folder, phase));
  } else if (s.action == "verify") {
    add_checks(s, folder, steps);
  } else {
    fail(
        "--action {}: expected download, text_formatting, sharding, create_hdf5_files, pack or "
        "verify",
        s.action);
  }
  return steps;
}

}  // namespace bertha::prepare
