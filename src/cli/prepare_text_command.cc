#include <spdlog/spdlog.h>

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "prepare/text_stage.h"

namespace bertha::cli {
namespace {

Options declare(prepare::TextOptions& o, std::vector<std::string>& lengths) {
  Options options(
      "bertha prepare text",
      "Turns your own text into everything that pre-training needs, in one command: a vocabulary, "
      "and shards for both phases with a part held out for evaluation. It reads books with wrapped "
      "lines and chapters, notes, and JSON lines with a \"text\" field, plain or compressed.");
  options.example("bertha prepare text books/ --output-dir=data",
                  "Vocabulary and shards of all the texts of a folder");
  options.positional("PATH...", o.paths, 1,
                     "texts (.txt, .text, .md, .jsonl, .gz), or folders of them", ValueKind::kFile);
  options.folder("output_dir", o.output_dir, "folder to make; it must be empty if it exists");
  options.required();
  options.file("vocab_file", o.vocab_file, "vocabulary to use; if not given, one is trained");
  options.value(
      "vocab_size", o.vocab_size,
      "number of pieces of a new vocabulary; 0: 4,000 to 30,000, by the size of the text");
  options.flag("cased", o.cased, "a new vocabulary keeps case and accents");
  options.values("lengths", lengths, "tokens of a row, one folder of shards each");
  options.value("test_fraction", o.test_fraction, "fraction of the documents to hold out");
  options.value("dupe_factor", o.dupe_factor,
                "number of passes over the text, each with other masks");
  options.value("masked_lm_prob", o.masked_lm_prob, "fraction of the tokens to mask");
  options.value("random_seed", o.random_seed, "random seed");
  options.value("threads", o.threads, "number of threads");
  return options;
}

std::vector<int64_t> parse_lengths(const std::vector<std::string>& words) {
  constexpr int64_t kLeast = 8;
  constexpr int64_t kMost = 4096;
  std::vector<int64_t> lengths;
  for (const std::string& word : words) {
    const bool digits = !word.empty() && word.size() < 5 &&
                        word.find_first_not_of("0123456789") == std::string::npos;
    const int64_t length = digits ? std::stoll(word) : 0;
    if (length < kLeast || length > kMost) {
      throw UsageError(
          fmt::format("--lengths {}: expected numbers from {} to {}", word, kLeast, kMost));
    }
    lengths.push_back(length);
  }
  return lengths;
}

}  // namespace

int run_prepare_text(Arguments arguments) {
  prepare::TextOptions o;
  o.threads = thread_count();
  std::vector<std::string> lengths;
  Options options = declare(o, lengths);
  options.parse(arguments);
  if (lengths.empty()) lengths = {"128", "512"};
  o.lengths = parse_lengths(lengths);
  check_threads("threads", o.threads);
  const prepare::TextResult made =
      prepare::run_text(o, [](const std::string& label, const std::string& unit) {
        return open_status_line(label, unit);
      });
  spdlog::info(
      "next: bertha pretrain --do-train --size=mini --vocab-file={} --input-dir={} "
      "--eval-dir={} --output-dir=results --max-seq-length={} --autocast --optimizer=adamw "
      "--learning-rate=1e-3 --warmup-proportion=0.1 --max-steps=2000",
      made.vocabulary, made.shards.front(), made.shards.front(), o.lengths.front());
  return 0;
}

}  // namespace bertha::cli
