#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "cli/ranks.h"
#include "core/error.h"
#include "core/threads.h"
#include "core/workers.h"
#include "dataset/hdf5_shard.h"
#include "dataset/instances.h"
#include "io/atomic_file.h"
#include "runlog/progress.h"
#include "runlog/work_meter.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

/// A share of [UNK] from which the vocabulary probably belongs to other text.
constexpr double kSuspectUnknown = 0.2;
/// And from which it does for certain.
constexpr double kForeignUnknown = 0.5;
/// A share of pieces with upper case from which a vocabulary is a cased one.
constexpr double kCasedShare = 0.05;

struct Settings {
  std::string vocab_file;
  std::string input;
  std::string output;
  bool lower_case = true;  ///< as the reference: true whether or not --do_lower_case is given
  bool cased = false;
  std::string token_rules = "recipe";
  int64_t threads = thread_count();
  dataset::InstanceOptions instances;
};

/// Text files that become one shard.
struct Job {
  std::vector<std::string> inputs;
  std::string output;
  uintmax_t bytes = 0;
};

struct Counts {
  int64_t documents = 0;
  int64_t sentences = 0;
  int64_t tokens = 0;
  int64_t instances = 0;
  uintmax_t bytes = 0;

  Counts& operator+=(const Counts& other) {
    documents += other.documents;
    sentences += other.sentences;
    tokens += other.tokens;
    instances += other.instances;
    bytes += other.bytes;
    return *this;
  }
};

Options declare(Settings& settings) {
  Options options("bertha prepare instances",
                  "Makes pre-training instances (masked tokens, next-sentence pairs) of text with "
                  "one sentence a line and a blank line between documents. Same text, vocabulary "
                  "and seed give the shard that create_pretraining_data.py gives, whatever the "
                  "number of threads.");
  dataset::InstanceOptions& instances = settings.instances;
  options.value("vocab_file", settings.vocab_file, "vocabulary, one piece a line").required();
  options.value("input_file", settings.input, "a text file, or a folder of .txt files").required();
  options
      .value("output_file", settings.output,
             "the shard; for a folder of text the folder of shards, <name>.hdf5 each, or one "
             "shard of all the text when this ends in .hdf5")
      .required();
  options.value("max_seq_length", instances.max_seq_length,
                "tokens an instance, specials included");
  options.value("max_predictions_per_seq", instances.max_predictions_per_seq,
                "masked tokens an instance, at most");
  options.value("masked_lm_prob", instances.masked_lm_prob, "share of tokens to mask");
  options.value("short_seq_prob", instances.short_seq_prob, "share of instances to keep short");
  options.value("dupe_factor", instances.dupe_factor, "passes over the text, masked anew");
  options.value("random_seed", instances.random_seed, "seed, the same for every shard");
  options.flag("do_lower_case", settings.lower_case,
               "lower case, no accents: the default; --do_lower_case 0 is --cased");
  options.flag("cased", settings.cased, "keep case and accents, for a cased vocabulary");
  options.value("token_rules", settings.token_rules, "recipe or hf: whose rules for rare text");
  options.value("threads", settings.threads, "threads to use");
  options.accepted("bert_model", true, "the vocabulary and --cased say what it would");
  return options;
}

/// The recipe has --do_lower_case as a switch that cannot be turned off. Here a 0 or 1 may follow.
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
    words.emplace_back(value == "0" ? "--cased" : "--do_lower_case");
    if (word.size() == arguments[i].size()) ++i;
  }
  return words;
}

uintmax_t size_bytes(const std::string& path) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) fail("{}: cannot read: {}", path, error.message());
  return bytes;
}

std::vector<std::string> text_files(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> files;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".txt" && entry->is_regular_file()) {
      files.push_back(entry->path().string());
    }
  }
  if (error) fail("{}: cannot read the folder: {}", folder, error.message());
  if (files.empty()) fail("{}: no .txt file in this folder", folder);
  std::ranges::sort(files);
  return files;
}

std::string shard_in(const std::string& folder, const std::string& text_file) {
  return (fs::path(folder) / fs::path(text_file).stem()).string() + ".hdf5";
}

std::vector<Job> plan(const Settings& settings) {
  std::vector<Job> jobs;
  if (!fs::is_directory(settings.input)) {
    const bool into_folder = fs::is_directory(settings.output);
    jobs.push_back({{settings.input},
                    into_folder ? shard_in(settings.output, settings.input) : settings.output});
  } else if (settings.output.ends_with(".hdf5")) {
    jobs.push_back({text_files(settings.input), settings.output});
  } else {
    for (const std::string& file : text_files(settings.input)) {
      jobs.push_back({{file}, shard_in(settings.output, file)});
    }
  }
  for (Job& job : jobs) {
    for (const std::string& input : job.inputs) job.bytes += size_bytes(input);
  }
  // The long ones first, so that no thread begins one when the others are done.
  std::ranges::stable_sort(jobs, std::greater<>(), &Job::bytes);
  return jobs;
}

/// A vocabulary of another language or case shows in the share of unknown words.
void check_unknown(const Job& job, const dataset::Corpus& corpus,
                   const text::Vocabulary& vocabulary) {
  const auto unknown = std::ranges::count(corpus.ids, vocabulary.specials().unk);
  const auto tokens = static_cast<int64_t>(corpus.ids.size());
  const double share = static_cast<double>(unknown) / static_cast<double>(tokens);
  if (share > kForeignUnknown) {
    fail("{}: {:.0f} % of the tokens are [UNK]: {} is not a vocabulary of this text",
         job.inputs.front(), 100 * share, vocabulary.name());
  }
  if (share > kSuspectUnknown) {
    spdlog::warn("{}: {:.0f} % of the tokens are [UNK]; is {} the right vocabulary?",
                 job.inputs.front(), 100 * share, vocabulary.name());
  }
}

/// Lower-cased text never meets the pieces with upper case.
void check_case(const text::Vocabulary& vocabulary) {
  int64_t upper = 0;
  for (const int32_t id : vocabulary.distinct_ids()) {
    const std::string_view piece = vocabulary.piece(id);
    if (piece.starts_with('[')) continue;  // [CLS] and kin
    upper += std::ranges::any_of(piece, [](char c) { return c >= 'A' && c <= 'Z'; }) ? 1 : 0;
  }
  const double share = static_cast<double>(upper) / static_cast<double>(vocabulary.size());
  if (share < kCasedShare) return;
  spdlog::warn(
      "{}: {:.0f} % of its pieces have upper case, which lower-cased text never uses: "
      "--do_lower_case 0 keeps the case",
      vocabulary.name(), 100 * share);
}

Counts make_shard(const Job& job, const Settings& settings, const text::Tokenizer& tokenizer,
                  int64_t threads) {
  dataset::Corpus corpus = dataset::read_corpus(job.inputs, tokenizer, threads);
  check_unknown(job, corpus, tokenizer.vocabulary());
  if (corpus.documents() == 1) {
    spdlog::warn("{}: a single document: no next sentence can be drawn from another one",
                 job.inputs.front());
  }
  Counts counts{corpus.documents(), corpus.segments(), static_cast<int64_t>(corpus.ids.size()), 0,
                job.bytes};
  const dataset::InstanceSet set(std::move(corpus), tokenizer.vocabulary(), settings.instances);
  counts.instances = set.size();
  dataset::write_shard(
      job.output, set.shape(),
      [&set](int64_t row, const dataset::ShardRow& out) { set.fill_row(row, out); }, threads);
  return counts;
}

void remove_leftovers(const std::vector<Job>& jobs) {
  std::set<std::string> folders;
  for (const Job& job : jobs) folders.insert(fs::path(job.output).parent_path().string());
  for (const std::string& folder : folders) {
    for (const std::string& name : io::remove_leftovers(folder.empty() ? "." : folder)) {
      spdlog::info("removed {}, left by a run that was killed", name);
    }
  }
}

/// Whoever reads the folder takes them too.
void warn_of_others(const std::vector<Job>& jobs) {
  if (jobs.size() < 2) return;  // a file of its own, perhaps one of many
  std::set<std::string> made;
  for (const Job& job : jobs) made.insert(fs::path(job.output).filename().string());
  const std::string folder = fs::path(jobs.front().output).parent_path().string();
  std::error_code error;
  int64_t others = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const fs::path name = entry.path().filename();
    others += name.extension() == ".hdf5" && !made.contains(name.string()) ? 1 : 0;
  }
  if (others > 0) spdlog::warn("{}: {} other shards are there and stay", folder, others);
}

/// Makes this rank's shards. Threads go to shards first, what is left of them to the work within
/// each.
Counts make_shards(const std::vector<Job>& jobs, const Settings& settings,
                   const text::Tokenizer& tokenizer, comm::Communicator& world) {
  const std::vector<size_t> own = own_of(jobs.size(), world);
  const auto count = static_cast<int64_t>(own.size());
  const int64_t threads_a_job =
      std::max<int64_t>(1, settings.threads / std::max<int64_t>(count, 1));
  runlog::WorkMeter meter("instances", world.ranks() > 1 ? "shards of rank 0" : "shards",
                          !world.leads());
  ProgressCounter done(count, meter.report());
  std::vector<Counts> counts(own.size());
  run_tasks(count, settings.threads, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    counts[at] = make_shard(jobs[own[at]], settings, tokenizer, threads_a_job);
    done.add(1);
  });
  meter.clear();
  Counts total;
  for (const Counts& of_shard : counts) total += of_shard;
  return total;
}

Counts all_reduce_sums(comm::Communicator& world, const Counts& own) {
  std::array<int64_t, 5> counts = {own.documents, own.sentences, own.tokens, own.instances,
                                   static_cast<int64_t>(own.bytes)};
  sum_counts(world, counts);
  return {counts[0], counts[1], counts[2], counts[3], static_cast<uintmax_t>(counts[4])};
}

}  // namespace

int prepare_instances(Arguments arguments, comm::Communicator& world) {
  Settings settings;
  Options options = declare(settings);
  if (!options.parse(without_case_values(arguments))) {
    if (world.leads()) fmt::print("{}", options.help());
    return 0;
  }
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  dataset::check_options(settings.instances);
  if (!options.given("threads")) settings.threads = threads_beside(world);
  check_threads("threads", settings.threads);

  const auto vocabulary = text::Vocabulary::load(settings.vocab_file);
  vocabulary.specials();  // names the one that is missing before any text is read
  if (!settings.cased && world.leads()) check_case(vocabulary);
  const text::Tokenizer tokenizer(vocabulary,
                                  {!settings.cased, parse_token_rules(settings.token_rules)});
  const std::vector<Job> jobs = plan(settings);
  if (world.leads()) {
    remove_leftovers(jobs);
    warn_of_others(jobs);
  }
  world.wait_for_all(comm::Stage::kBarrier);

  const auto begin = std::chrono::steady_clock::now();
  const Counts total = all_reduce_sums(world, make_shards(jobs, settings, tokenizer, world));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (!world.leads()) return 0;
  fmt::print(
      "{} shards, {} documents, {} sentences, {} tokens, {} instances in {:.1f} s ({:.1f} MB/s)\n",
      jobs.size(), total.documents, total.sentences, total.tokens, total.instances, seconds.count(),
      static_cast<double>(total.bytes) / 1e6 / seconds.count());
  return 0;
}

}  // namespace bertha::cli
