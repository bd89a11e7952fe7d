// bertha vocab: trains a WordPiece vocabulary.

#include <spdlog/spdlog.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/counted.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/output_check.h"
#include "text/word_counting.h"
#include "text/wordpiece_trainer.h"

namespace bertha::cli {
namespace {

struct VocabOptions {
  std::vector<std::string> files;
  std::string output_file = "vocab.txt";
  bool overwrite = false;
  std::string token_rules = "hf";
  bool lower_case = false;
  bool cased = false;
  std::optional<std::string> strip_accents;
  text::TrainerOptions trainer;
};

Options declare(VocabOptions& o) {
  Options options("bertha vocab",
                  "Trains a WordPiece vocabulary from text files, as Hugging Face's "
                  "BertWordPieceTokenizer does. It contains [PAD] [UNK] [CLS] [SEP] [MASK], the "
                  "characters, and then the most frequent pairs, merged one by one.");
  options.example("bertha vocab books/*.txt --vocab-size=8000 --output-file=vocab.txt",
                  "A vocabulary of 8,000 pieces");
  options.positional("FILE...", o.files, 1, "text, one sentence or article a line",
                     ValueKind::kFile);
  options.file("output_file", o.output_file, "file for the vocabulary, one piece on each line");
  options.flag("overwrite", o.overwrite, "replace the file");
  options.value("vocab_size", o.trainer.vocab_size, "number of pieces");
  options.value("min_frequency", o.trainer.min_frequency,
                "a pair that occurs less often is not merged");
  options.value("limit_alphabet", o.trainer.limit_alphabet,
                "number of characters to keep, the most frequent ones");
  options.flag("do_lower_case", o.lower_case,
               "convert to lower case and strip accents (the default)");
  options.flag("cased", o.cased, "keep case and accents");
  options.value("strip_accents", o.strip_accents,
                "true or false: remove accents, whatever the case; default: with lower case");
  options.choice("token-rules", o.token_rules, {"recipe", "hf"},
                 "rules that split text into words: hf or recipe");
  return options;
}

std::optional<bool> strip_accents(const VocabOptions& o) {
  if (!o.strip_accents) return std::nullopt;
  if (*o.strip_accents != "true" && *o.strip_accents != "false") {
    fail("--strip-accents {}: expected true or false", *o.strip_accents);
  }
  return *o.strip_accents == "true";
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
  options.parse(arguments);
  if (o.lower_case && o.cased) fail("--do-lower-case and --cased exclude each other; give one");
  io::check_output(o.output_file, o.files, o.overwrite);
  const std::optional<bool> strip = strip_accents(o);
  const text::WordCounts words =
      text::count_words(o.files, !o.cased, text::parse_token_rules(o.token_rules), strip);
  const std::vector<std::string> pieces = text::train_wordpieces(words, o.trainer);
  write_vocabulary(o.output_file, pieces);
  spdlog::info("{}: {} from {}", o.output_file, counted(std::ssize(pieces), "piece"),
               counted(std::ssize(words.counts()), "different word"));
  if (strip && *strip == o.cased) {
    spdlog::info(
        "other commands treat text in this way with a file tokenizer_config.json beside the "
        "vocabulary: {{\"do_lower_case\": {}, \"strip_accents\": {}}}",
        !o.cased, *strip);
  }
  if (static_cast<int64_t>(pieces.size()) < o.trainer.vocab_size) {
    spdlog::warn("no pair is left that occurs {} times: {} pieces instead of {}",
                 o.trainer.min_frequency, pieces.size(), o.trainer.vocab_size);
  }
  return 0;
}

}  // namespace bertha::cli
