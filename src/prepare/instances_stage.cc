#include "prepare/instances_stage.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <string_view>
#include <vector>

#include "core/counted.h"
#include "core/error.h"
#include "core/parallel_tasks.h"
#include "dataset/hdf5_shard.h"
#include "io/file_status.h"
#include "io/list_files.h"
#include "io/text_file.h"
#include "prepare/output_claim.h"
#include "prepare/output_folder.h"
#include "prepare/rank_work.h"
#include "prepare/stopwatch.h"
#include "text/casing.h"
#include "text/tokenizer_file.h"
#include "text/unknown_share.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;

/// From this share of [UNK] on the vocabulary certainly belongs to other text.
constexpr double kForeignUnknown = 0.5;

/// Text files that become one shard.
struct Job {
  std::vector<std::string> inputs;
  std::string output;
  int64_t bytes = 0;
};

int64_t size_bytes(const std::string& path) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) fail("{}: cannot read: {}", path, error.message());
  return static_cast<int64_t>(bytes);
}

std::vector<std::string> text_files(const std::string& folder) {
  std::vector<std::string> files = io::list_files(folder, "", ".txt");
  if (files.empty()) fail("{}: no .txt file in this folder", folder);
  return files;
}

std::string shard_in(const std::string& folder, const std::string& text_file) {
  return (fs::path(folder) / fs::path(text_file).stem()).string() + ".hdf5";
}

std::vector<Job> plan_jobs(const InstancesOptions& options) {
  std::vector<Job> jobs;
  if (!io::is_folder(options.input)) {
    const bool into_folder = io::is_folder(options.output);
    jobs.push_back(
        {{options.input}, into_folder ? shard_in(options.output, options.input) : options.output});
  } else if (options.output.ends_with(".hdf5")) {
    jobs.push_back({text_files(options.input), options.output});
  } else {
    for (const std::string& file : text_files(options.input)) {
      jobs.push_back({{file}, shard_in(options.output, file)});
    }
  }
  for (Job& job : jobs) {
    for (const std::string& input : job.inputs) job.bytes += size_bytes(input);
  }
  // Long jobs go first, so that no thread begins one when the others have finished.
  std::ranges::stable_sort(jobs, std::greater<>(), &Job::bytes);
  return jobs;
}

/// A vocabulary of another language or case shows in the share of unknown words.
text::UnknownShare check_unknown(const Job& job, const dataset::Corpus& corpus,
                                 const text::Tokenizer& tokenizer) {
  text::UnknownShare share;
  share.add(corpus.ids, tokenizer.specials().unk);
  if (share.share() > kForeignUnknown) {
    fail("{}: {:.0f} % of the tokens are {}: {} is not a vocabulary of this text",
         job.inputs.front(), 100 * share.share(), tokenizer.settings().names.unk,
         tokenizer.vocabulary().name());
  }
  const std::string warning = share.warning(tokenizer, job.inputs.front());
  if (!warning.empty()) spdlog::warn("{}", warning);
  return share;
}

/// The share of the lines that end in a small letter, and hence within a sentence.
double share_of_open_lines(std::string_view text) {
  int64_t lines = 0;
  int64_t open = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    ++lines;
    if (line.back() >= 'a' && line.back() <= 'z') ++open;
  }
  return lines == 0 ? 0 : static_cast<double>(open) / static_cast<double>(lines);
}

/// In a text as it is printed most lines end within a sentence.
void warn_of_printed_lines(const std::string& path) {
  constexpr size_t kSample = size_t{1} << 16;
  constexpr double kPrinted = 0.5;
  const io::TextFile file(path, io::TextFile::Check::kLater);
  const double open = share_of_open_lines(file.text().substr(0, kSample));
  if (open < kPrinted) return;
  spdlog::warn(
      "{}: {:.0f} % of the lines end within a sentence; each line is taken for one. bertha prepare "
      "text reads text with wrapped lines",
      path, 100 * open);
}

/// Reads the vocabulary and logs what the user should know of it, on the leading rank.
text::Tokenizer open_tokenizer(const text::TokenizerFile& file, const InstancesOptions& options,
                               bool log) {
  const text::Casing casing = text::choose_casing(file, options.lower_case, true);
  if (log && !casing.warning.empty()) spdlog::warn("{}", casing.warning);
  for (const std::string& note : file.notes) {
    if (log) spdlog::warn("{}", note);
  }
  text::Tokenizer tokenizer(file.vocabulary, file.options(casing.lower_case, options.token_rules));
  tokenizer.specials();  // throws for a missing special token before any text is read
  return tokenizer;
}

InstancesResult make_shard(const Job& job, const InstancesOptions& options,
                           const text::Tokenizer& tokenizer, int64_t threads) {
  dataset::Corpus corpus = dataset::read_corpus(job.inputs, tokenizer, threads);
  const text::UnknownShare unknown = check_unknown(job, corpus, tokenizer);
  if (corpus.documents() == 1) {
    spdlog::warn("{}: a single document: no next sentence can be drawn from another one",
                 job.inputs.front());
  }
  InstancesResult made{.shards = 1,
                       .documents = corpus.documents(),
                       .sentences = corpus.segments(),
                       .tokens = static_cast<int64_t>(corpus.ids.size()),
                       .unknown = unknown.unknown,
                       .text_bytes = job.bytes};
  const dataset::InstanceSet set(std::move(corpus), tokenizer.vocabulary(), options.instances);
  made.instances = set.size();
  dataset::write_shard(
      job.output, set.shape(),
      [&set](int64_t row, const dataset::ShardRow& out) { set.fill_row(row, out); }, threads);
  return made;
}

void remove_leftovers(const std::vector<Job>& jobs) {
  std::set<std::string> folders;
  for (const Job& job : jobs) folders.insert(fs::path(job.output).parent_path().string());
  for (const std::string& folder : folders) remove_leftovers_logged(folder);
}

/// Training reads all shards of a folder, those of other runs too.
void warn_of_others(const std::vector<Job>& jobs) {
  if (jobs.size() < 2) return;  // a file of its own, perhaps one of many
  std::set<std::string> made;
  for (const Job& job : jobs) made.insert(fs::path(job.output).filename().string());
  const std::string folder = fs::path(jobs.front().output).parent_path().string();
  const auto others = std::ranges::count_if(
      io::list_files(folder, "", ".hdf5"),
      [&](const std::string& file) { return !made.contains(fs::path(file).filename().string()); });
  if (others > 0) {
    spdlog::warn("{}: {} of other commands are there and stay", folder, counted(others, "shard"));
  }
}

void add(const InstancesResult& from, InstancesResult& to) {
  to.shards += from.shards;
  to.documents += from.documents;
  to.sentences += from.sentences;
  to.tokens += from.tokens;
  to.unknown += from.unknown;
  to.instances += from.instances;
  to.text_bytes += from.text_bytes;
}

/// Makes this rank's shards. Threads work on different shards first; threads that are left over
/// divide the work within each shard.
InstancesResult make_own_shards(const std::vector<Job>& jobs, const InstancesOptions& options,
                                const text::Tokenizer& tokenizer, const comm::Communicator& world,
                                const ReportProgress& progress) {
  const std::vector<size_t> own = round_robin_indices(jobs.size(), world);
  const auto count = static_cast<int64_t>(own.size());
  const int64_t threads_a_job = std::max<int64_t>(1, options.threads / std::max<int64_t>(count, 1));
  ProgressCounter done(count, progress);
  std::vector<InstancesResult> made(own.size());
  parallel_tasks(count, options.threads, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    made[at] = make_shard(jobs[own[at]], options, tokenizer, threads_a_job);
    done.add(1);
  });
  InstancesResult sum;
  for (const InstancesResult& shard : made) add(shard, sum);
  return sum;
}

}  // namespace

InstancesResult run_instances(const InstancesOptions& options, comm::Communicator& world,
                              const ReportProgress& progress) {
  dataset::check_options(options.instances);
  const text::TokenizerFile file = text::load_tokenizer(options.vocab_file);
  const text::Tokenizer tokenizer = open_tokenizer(file, options, world.leads());
  const std::vector<Job> jobs = plan_jobs(options);
  if (world.leads()) {
    remove_leftovers(jobs);
    warn_of_others(jobs);
    warn_of_printed_lines(jobs.front().inputs.front());
  }
  world.wait_for_all(comm::Stage::kBarrier);
  const Stopwatch watch;
  InstancesResult sum = make_own_shards(jobs, options, tokenizer, world, progress);
  all_reduce_counts(world, {&sum.shards, &sum.documents, &sum.sentences, &sum.tokens, &sum.unknown,
                            &sum.instances, &sum.text_bytes});
  sum.seconds = watch.seconds();
  return sum;
}

void claim_instances(const InstancesOptions& options, bool overwrite) {
  OutputClaim claim{.stage = "instances",
                    .folder = {},
                    .outputs = {},
                    .present = {},
                    .made_by = {},
                    .option = "output-file"};
  std::vector<std::string> inputs;
  for (const Job& job : plan_jobs(options)) {
    const fs::path output(job.output);
    claim.folder = output.parent_path().string();
    claim.outputs.push_back(output.filename().string());
    if (fs::exists(output)) claim.present.push_back(claim.outputs.back());
    inputs.insert(inputs.end(), job.inputs.begin(), job.inputs.end());
  }
  const dataset::InstanceOptions& o = options.instances;
  claim.made_by = {{"text", describe_inputs(inputs)},
                   {"vocabulary", describe_inputs({options.vocab_file})},
                   {"max_seq_length", fmt::format("{}", o.max_seq_length)},
                   {"max_predictions_per_seq", fmt::format("{}", o.max_predictions_per_seq)},
                   {"dupe_factor", fmt::format("{}", o.dupe_factor)},
                   {"masked_lm_prob", fmt::format("{}", o.masked_lm_prob)},
                   {"short_seq_prob", fmt::format("{}", o.short_seq_prob)},
                   {"random_seed", fmt::format("{}", o.random_seed)},
                   {"lower case",
                    options.lower_case ? (*options.lower_case ? "yes" : "no") : "as the files say"},
                   {"token_rules", options.token_rules == text::TokenRules::kHf ? "hf" : "recipe"}};
  claim_outputs(claim, overwrite);
}

std::string instances_unit(const comm::Communicator& world) {
  return world.ranks() > 1 ? "shards of rank 0" : "shards";
}

std::string describe(const InstancesResult& result) {
  const text::UnknownShare unknown{.tokens = result.tokens, .unknown = result.unknown};
  return fmt::format("{}, {}, {}, {} ({:.2f} % unknown), {} in {:.1f} s ({:.1f} MB/s)",
                     counted(result.shards, "shard"), counted(result.documents, "document"),
                     counted(result.sentences, "sentence"), counted(result.tokens, "token"),
                     100 * unknown.share(), counted(result.instances, "instance"), result.seconds,
                     static_cast<double>(result.text_bytes) / 1e6 / result.seconds);
}

}  // namespace bertha::prepare
