// bertha tokenize: lines of text in, ids and pieces out.

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "text/line_tokenizer.h"
#include "text/tokenizer.h"

namespace bertha::cli {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kMaxLineBytes = size_t{1} << 30;

struct TokenizeOptions {
  std::string vocab_file;
  std::string token_rules = "hf";
  bool lower_case = false;
  bool cased = false;
  bool jsonl = false;
  int64_t max_input_chars_per_word = 100;
};

void write_out(std::string& out) {
  if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() || std::fflush(stdout) != 0) {
    fail("standard output: {}", std::strerror(errno));
  }
  out.clear();
}

/// Tokenizes standard input. It prints the output of all lines that it has read before it waits for
/// more, so that another program can talk to it through pipes.
void run_lines(text::LineTokenizer& lines) {
  std::string block(kBlockBytes, '\0');
  std::string pending;  // a line that has not ended yet
  std::string out;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("standard input: {}", std::strerror(errno));
    if (count == 0) break;
    std::string_view rest(block.data(), static_cast<size_t>(count));
    for (size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
      pending += rest.substr(0, end);
      lines.run(pending, out);
      pending.clear();
      rest.remove_prefix(end + 1);
      if (out.size() >= kBlockBytes) write_out(out);
    }
    pending += rest;
    if (pending.size() > kMaxLineBytes) {
      fail("standard input: a line of over {} bytes; expected lines of text", kMaxLineBytes);
    }
    write_out(out);
  }
  if (!pending.empty()) lines.run(pending, out);
  write_out(out);
}

Options declare(TokenizeOptions& o) {
  Options options("bertha tokenize",
                  "Reads lines of text, or JSON objects with a \"text\", from standard input. "
                  "Prints for each the ids and the pieces, with a tab between, without [CLS] and "
                  "[SEP]. Bytes that are not UTF-8 are read as U+FFFD, which is dropped.");
  options.value("vocab_file", o.vocab_file, "vocabulary, one piece on each line").required();
  options.flag("do_lower_case", o.lower_case,
               "convert to lower case and strip accents (the default)");
  options.flag("cased", o.cased, "keep case and accents");
  options.value("token-rules", o.token_rules,
                "hf: as Hugging Face's tokenizers; recipe: as the PyTorch recipe's "
                "tokenization.py. They differ in rare characters");
  options.flag("jsonl", o.jsonl,
               "print {\"ids\", \"tokens\", \"offsets\"} on each line; offsets count code points");
  options.value("max_input_chars_per_word", o.max_input_chars_per_word,
                "a word with more characters becomes [UNK]");
  return options;
}

}  // namespace

int run_tokenize(Arguments arguments) {
  TokenizeOptions o;
  Options options = declare(o);
  if (!options.parse(arguments)) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (o.lower_case && o.cased) fail("--do_lower_case and --cased exclude each other; give one");
  if (o.max_input_chars_per_word < 1 || o.max_input_chars_per_word > INT32_MAX) {
    fail("--max_input_chars_per_word {}: expected 1 to {}", o.max_input_chars_per_word, INT32_MAX);
  }
  const text::Vocabulary vocabulary = text::Vocabulary::load(o.vocab_file);
  const text::Tokenizer tokenizer(
      vocabulary, {.lower_case = !o.cased,
                   .rules = text::parse_token_rules(o.token_rules),
                   .max_input_chars_per_word = static_cast<int32_t>(o.max_input_chars_per_word)});
  text::LineTokenizer lines(tokenizer, o.jsonl);
  run_lines(lines);
  return 0;
}

}  // namespace bertha::cli
