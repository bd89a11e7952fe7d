#include <spdlog/spdlog.h>

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "cli/rank_options.h"
#include "core/parallel_for.h"
#include "prepare/instances_stage.h"

namespace bertha::cli {
namespace {

struct Settings {
  bool lower_case = false;
  bool cased = false;
  std::string token_rules = "recipe";
  bool overwrite = false;
  prepare::InstancesOptions stage;
};

Options declare(Settings& settings) {
  Options options(
      "bertha prepare instances",
      "Makes pre-training instances (masked tokens, next-sentence pairs) from text with one "
      "sentence on each line and a blank line between documents. The same text, vocabulary and "
      "seed give the same shard as create_pretraining_data.py, with any number of threads.");
  prepare::InstancesOptions& stage = settings.stage;
  dataset::InstanceOptions& instances = stage.instances;
  options.example(
      "bertha prepare instances --input-file=shards --output-file=hdf5 --vocab-file=vocab.txt "
      "--dupe-factor=5",
      "A shard of instances for each text shard of a folder");
  options.file("vocab_file", stage.vocab_file, "vocab.txt or tokenizer.json").required();
  options.file("input_file", stage.input, "text file, or folder of .txt files").required();
  options
      .file("output_file", stage.output,
            "the shard. For a folder of text: the folder of shards, <name>.hdf5 each, or, if this "
            "ends in .hdf5, one shard of all the text")
      .required();
  options.value("max_seq_length", instances.max_seq_length,
                "number of tokens in an instance, special tokens included");
  options.value("max_predictions_per_seq", instances.max_predictions_per_seq,
                "maximum number of masked tokens in an instance");
  options.value("masked_lm_prob", instances.masked_lm_prob, "fraction of the tokens to mask");
  options.value("short_seq_prob", instances.short_seq_prob,
                "fraction of the instances to keep short");
  options.value("dupe_factor", instances.dupe_factor,
                "number of passes over the text, each with other masks");
  options.value("random_seed", instances.random_seed, "random seed, the same for every shard");
  options.flag("do_lower_case", settings.lower_case,
               "convert to lower case and strip accents (the default); --do-lower-case 0 is the "
               "same as --cased");
  options.flag("cased", settings.cased, "keep case and accents, for a cased vocabulary");
  options.choice("token_rules", settings.token_rules, {"recipe", "hf"},
                 "rules for rare characters");
  options.value("threads", stage.threads, "number of threads");
  options.flag("overwrite", settings.overwrite, "replace shards that another command made");
  options.accepted("bert_model", true, "--vocab-file and --cased replace it");
  return options;
}

/// In the recipe --do_lower_case is a switch that cannot be turned off. Here a 0 or 1 may follow
/// it: it is replaced by the option that it means.
std::vector<std::string> without_case_values(Arguments arguments) {
  std::vector<std::string> words;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string word = arguments[i];
    std::string value;
    if (const size_t equals = word.find('='); equals != std::string::npos) {
      value = word.substr(equals + 1);
      word.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[i + 1];
    }
    const bool is_switch = word == "--do_lower_case" || word == "--do-lower-case";
    if (!is_switch || (value != "0" && value != "1")) {
      words.push_back(arguments[i]);
      continue;
    }
    words.emplace_back(value == "0" ? "--cased" : "--do-lower-case");
    if (word.size() == arguments[i].size()) ++i;
  }
  return words;
}

}  // namespace

int run_prepare_instances(Arguments arguments, comm::Communicator& world) {
  Settings settings;
  prepare::InstancesOptions& stage = settings.stage;
  stage.threads = thread_count();
  Options options = declare(settings);
  options.parse(without_case_values(arguments));
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  dataset::check_options(stage.instances);
  if (!options.given("threads")) stage.threads = threads_beside(world);
  check_threads("threads", stage.threads);
  if (settings.lower_case || settings.cased) stage.lower_case = !settings.cased;
  stage.token_rules = text::parse_token_rules(settings.token_rules);
  if (world.leads()) prepare::claim_instances(stage, settings.overwrite);
  const prepare::InstancesResult result = prepare::run_instances(
      stage, world, open_status_line("instances", prepare::instances_unit(world), !world.leads()));
  if (world.leads()) fmt::print("{}\n", prepare::describe(result));
  return 0;
}

}  // namespace bertha::cli
