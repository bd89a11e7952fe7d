// bertha vocab: trains a WordPiece vocabulary.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "core/threads.h"
#include "io/atomic_file.h"
#include "text/wordpiece_trainer.h"

namespace bertha::cli {

namespace {

constexpr size_t kBlockBytes = size_t{1} << 26;
constexpr size_t kMaxLineBytes = size_t{1} << 30;

struct VocabOptions {
  std::vector<std::string> files;
  std::string output_file = "vocab.txt";
  std::string token_rules = "hf";
  bool lower_case = false;
  bool cased = false;
  text::TrainerOptions trainer;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// Counts words on all threads, each with counts of its own.
class ParallelCounts {
 public:
  ParallelCounts(bool lower_case, text::TokenRules rules)
      : counts_(static_cast<size_t>(thread_count()), text::WordCounts(lower_case, rules)) {}

  /// Counts a text in pieces that end with lines.
  void add(std::string_view text) {
    std::vector<std::string_view> slices;
    const size_t target = text.size() / counts_.size() + 1;
    while (!text.empty()) {
      const size_t newline = text.find('\n', std::min(target, text.size()) - 1);
      const size_t size = newline == std::string_view::npos ? text.size() : newline + 1;
      slices.push_back(text.substr(0, size));
      text.remove_prefix(size);
    }
    const auto count = static_cast<int64_t>(slices.size());
    parallel_ranges(count, 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        counts_[static_cast<size_t>(thread)].add(slices[static_cast<size_t>(i)]);
      }
    });
  }

  text::WordCounts sum() && {
    for (size_t i = 1; i < counts_.size(); ++i) counts_[0].add(counts_[i]);
    return std::move(counts_[0]);
  }

 private:
  std::vector<text::WordCounts> counts_;
};

/// Reads the file in blocks that end with a line.
void count_file(const std::string& path, ParallelCounts& counts) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail("{}: {}", path, std::strerror(errno));
  std::string block;
  for (;;) {
    const size_t kept = block.size();
    block.resize(kept + kBlockBytes);
    const size_t count = std::fread(block.data() + kept, 1, kBlockBytes, file.get());
    block.resize(kept + count);
    if (std::ferror(file.get()) != 0) fail("{}: {}", path, std::strerror(errno));
    if (count == 0) break;
    const size_t newline = block.rfind('\n');
    if (newline != std::string::npos) {
      counts.add(std::string_view(block).substr(0, newline + 1));
      block.erase(0, newline + 1);
    } else if (block.size() > kMaxLineBytes) {
      fail("{}: a line of over {} bytes; expected lines of text", path, kMaxLineBytes);
    }
  }
  counts.add(block);
}

Options declare(VocabOptions& o) {
  Options options("bertha vocab",
                  "Trains a WordPiece vocabulary from text files, as Hugging Face's "
                  "BertWordPieceTokenizer does: [PAD] [UNK] [CLS] [SEP] [MASK], the characters, "
                  "then the most frequent pairs, merged one by one.");
  options.positional("FILE", o.files, 1, "text, one sentence or article a line");
  options.value("output_file", o.output_file, "where the vocabulary goes, one piece a line");
  options.value("vocab_size", o.trainer.vocab_size, "number of pieces");
  options.value("min_frequency", o.trainer.min_frequency, "a pair seen less often is not merged");
  options.value("limit_alphabet", o.trainer.limit_alphabet,
                "number of characters kept, the most frequent");
  options.flag("do_lower_case", o.lower_case, "lower case and strip accents (the default)");
  options.flag("cased", o.cased, "keep case and accents");
  options.value("token-rules", o.token_rules, "hf or recipe: how text is cut into words");
  return options;
}

void write_vocabulary(const std::string& path, const std::vector<std::string>& pieces) {
  std::string contents;
  for (const std::string& piece : pieces) contents += piece + '\n';
  io::write_file(path, contents);
}

}  // namespace

int run_vocab(Arguments arguments) {
  VocabOptions o;
  Options options = declare(o);
  if (!options.parse(arguments)) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (o.lower_case && o.cased) fail("--do_lower_case and --cased exclude each other; give one");
  ParallelCounts counts(!o.cased, text::parse_token_rules(o.token_rules));
  for (const std::string& file : o.files) count_file(file, counts);
  const text::WordCounts words = std::move(counts).sum();
  const std::vector<std::string> pieces = text::train_wordpieces(words, o.trainer);
  write_vocabulary(o.output_file, pieces);
  spdlog::info("{}: {} pieces from {} different words", o.output_file, pieces.size(),
               words.counts().size());
  if (static_cast<int64_t>(pieces.size()) < o.trainer.vocab_size) {
    spdlog::warn("no pair is left that occurs {} times: {} pieces instead of {}",
                 o.trainer.min_frequency, pieces.size(), o.trainer.vocab_size);
  }
  return 0;
}

}  // namespace bertha::cli
