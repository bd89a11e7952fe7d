// bertha tokenize: lines of text in, ids and pieces out.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "infer/model.h"
#include "io/text_file.h"
#include "text/line_tokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_keys.h"

namespace bertha::cli {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kMaxLineBytes = size_t{1} << 30;

struct TokenizeOptions {
  std::string vocab_file;
  std::string checkpoint;
  std::string token_rules = "hf";
  bool lower_case = false;
  bool cased = false;
  std::string input = "-";
  bool jsonl = false;
  bool json = false;
  bool list_keys = false;
  std::optional<int64_t> max_input_chars_per_word;
};

void write_out(std::string& out) {
  if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() || std::fflush(stdout) != 0) {
    fail("standard output: {}", std::strerror(errno));
  }
  out.clear();
}

/// Tokenizes line number `number`. Before an error the output of the lines before it is printed.
void run_line(text::LineTokenizer& lines, const std::string& line, int64_t number,
              std::string& out) {
  try {
    io::require_utf8_line(line, "standard input", number);
  } catch (const Error&) {
    write_out(out);
    throw;
  }
  lines.run(line, out);
}

/// Tokenizes standard input. It prints the output of all lines that it has read before it waits for
/// more, so that another program can talk to it through pipes.
void run_lines(text::LineTokenizer& lines) {
  std::string block(kBlockBytes, '\0');
  std::string pending;  // a line that has not ended yet
  std::string out;
  int64_t number = 0;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("standard input: {}", std::strerror(errno));
    if (count == 0) break;
    std::string_view rest(block.data(), static_cast<size_t>(count));
    for (size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
      pending += rest.substr(0, end);
      run_line(lines, pending, ++number, out);
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
  if (!pending.empty()) run_line(lines, pending, ++number, out);
  write_out(out);
}

/// Tokenizes the lines of a file.
void run_file(text::LineTokenizer& lines, const std::string& path) {
  io::TextBlocks blocks(path, kBlockBytes);
  std::string out;
  for (std::string_view rest = blocks.next(); !rest.empty(); rest = blocks.next()) {
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      lines.run(rest.substr(0, end), out);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    write_out(out);
  }
}

Options declare(TokenizeOptions& o) {
  Options options(
      "bertha tokenize",
      "Reads lines of text, or JSON objects with a \"text\", from a file or standard input. "
      "Prints for each the ids and the pieces, with a tab between. With --vocab-file "
      "they are those of the text alone; with --checkpoint they are the input of the "
      "model, with special tokens, cut as the tokenizer's files say. A line that is not "
      "UTF-8 ends the command with an error that names the byte.");
  options.example("echo 'Hello, world!' | bertha tokenize --vocab-file=vocab.txt",
                  "Ids and pieces of a line");
  options.example("bertha tokenize --checkpoint=bert-base-uncased < texts.txt",
                  "What the model gets for each line of a file");
  options.file("vocab_file", o.vocab_file,
               "vocab.txt, tokenizer.json, or a folder with one of them");
  options.file("checkpoint", o.checkpoint, "a model's folder or weights, or its tokenizer.json");
  options.flag("do_lower_case", o.lower_case,
               "convert to lower case and strip accents (the default); the tokenizer's files and "
               "the vocabulary's use of capital letters go before this and --cased");
  options.flag("cased", o.cased, "keep case and accents");
  options.choice("token-rules", o.token_rules, {"recipe", "hf"},
                 "hf: as Hugging Face's tokenizers; recipe: as the PyTorch recipe's "
                 "tokenization.py. They differ in rare characters");
  options.file("input", o.input, "lines of text; -: standard input");
  options.flag(
      "json", o.json,
      "print a JSON object for each line: its fields, or the \"text\", with ids, tokens and "
      "offsets, which count code points");
  options.flag("jsonl", o.jsonl, "as --json without the fields of the line");
  options.value("max_input_chars_per_word", o.max_input_chars_per_word,
                "a word with more characters becomes [UNK]; default: as the tokenizer's files say, "
                "otherwise 100");
  options.flag("list_keys", o.list_keys,
               "print what happens to each key of the tokenizer files, and end");
  return options;
}

/// The files that the options name. A checkpoint may be a tokenizer file itself.
infer::ModelFiles files_of(const TokenizeOptions& o) {
  if (o.lower_case && o.cased) fail("--do-lower-case and --cased exclude each other; give one");
  if (o.vocab_file.empty() == o.checkpoint.empty()) {
    fail("one of --vocab-file and --checkpoint is needed");
  }
  infer::ModelFiles files = {.weights = o.checkpoint,
                             .vocabulary = o.vocab_file,
                             .rules = text::parse_token_rules(o.token_rules)};
  const bool is_tokenizer = o.checkpoint.ends_with(".json") || o.checkpoint.ends_with(".txt");
  if (is_tokenizer) files.vocabulary = o.checkpoint;
  if (o.lower_case || o.cased) files.lower_case = o.lower_case;
  return files;
}

text::TokenizerOptions tokenizer_options(const TokenizeOptions& o, const infer::ModelFiles& files,
                                         text::TokenizerFile& file) {
  const std::optional<int64_t>& longest = o.max_input_chars_per_word;
  if (longest && (*longest < 1 || *longest > INT32_MAX)) {
    fail("--max-input-chars-per-word {}: expected 1 to {}", *longest, INT32_MAX);
  }
  if (longest) file.settings.max_input_chars_per_word = static_cast<int32_t>(*longest);
  return infer::tokenizer_options(files, file);
}

}  // namespace

int run_tokenize(Arguments arguments) {
  TokenizeOptions o;
  Options options = declare(o);
  options.parse(arguments);
  if (o.list_keys) {
    std::string page = text::tokenizer_keys_page();
    write_out(page);
    return 0;
  }
  const infer::ModelFiles files = files_of(o);
  text::TokenizerFile file = infer::read_tokenizer(files);
  const text::Tokenizer tokenizer(file.vocabulary, tokenizer_options(o, files, file));
  text::LineTokenizer lines(
      tokenizer,
      {.jsonl = o.jsonl || o.json, .fields = o.json, .model_input = !o.checkpoint.empty()});
  if (o.input == "-") {
    run_lines(lines);
  } else {
    run_file(lines, o.input);
  }
  return 0;
}

}  // namespace bertha::cli
