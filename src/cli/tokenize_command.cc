// bertha tokenize: lines of text in, ids and pieces out.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
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

/// The text of a line that is a JSON object with a string "text", as the lines of a JSONL corpus.
std::optional<std::string> text_of_json(std::string_view line) {
  if (!line.starts_with('{')) return std::nullopt;
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find("text");
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

void append_number(int64_t number, std::string& out) {
  const fmt::format_int digits(number);
  out.append(digits.data(), digits.size());
}

void append_json_string(std::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<uint8_t>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// Calls append(i) for each index below `count`, with `separator` between.
template <typename Append>
void append_list(size_t count, std::string_view separator, std::string& out, const Append& append) {
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    append(i);
  }
}

class LineTokenizer {
 public:
  LineTokenizer(const text::Tokenizer& tokenizer, bool jsonl)
      : tokenizer_(tokenizer), jsonl_(jsonl) {}

  /// Appends the output line of one input line.
  void run(std::string_view line, std::string& out) {
    ids_.clear();
    offsets_.clear();
    const std::optional<std::string> inner = text_of_json(line);
    const std::string_view text = inner ? std::string_view(*inner) : line;
    if (jsonl_) {
      tokenizer_.encode(text, ids_, offsets_);
      write_json(out);
    } else {
      tokenizer_.encode(text, ids_);
      write_plain(out);
    }
    out.push_back('\n');
  }

 private:
  std::string_view piece(size_t i) const { return tokenizer_.vocabulary().piece(ids_[i]); }

  void write_plain(std::string& out) const {
    append_list(ids_.size(), " ", out, [&](size_t i) { append_number(ids_[i], out); });
    out.push_back('\t');
    append_list(ids_.size(), " ", out, [&](size_t i) { out += piece(i); });
  }

  void write_json(std::string& out) const {
    out += R"({"ids": [)";
    append_list(ids_.size(), ", ", out, [&](size_t i) { append_number(ids_[i], out); });
    out += R"(], "tokens": [)";
    append_list(ids_.size(), ", ", out, [&](size_t i) { append_json_string(piece(i), out); });
    out += R"(], "offsets": [)";
    append_list(ids_.size(), ", ", out, [&](size_t i) {
      out.push_back('[');
      append_number(offsets_[i].begin, out);
      out += ", ";
      append_number(offsets_[i].end, out);
      out.push_back(']');
    });
    out += "]}";
  }

  const text::Tokenizer& tokenizer_;
  bool jsonl_;
  std::vector<int32_t> ids_;
  std::vector<text::TokenOffset> offsets_;
};

void write_out(std::string& out) {
  if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() || std::fflush(stdout) != 0) {
    fail("standard output: {}", std::strerror(errno));
  }
  out.clear();
}

/// Runs over standard input. What has been read is answered before more is waited for, so that the
/// command can stand in a conversation of pipes.
void run_lines(LineTokenizer& lines) {
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
                  "Reads lines of text, or JSON objects with a \"text\", from standard input and "
                  "prints for each the ids and the pieces, a tab between, without [CLS] and [SEP]. "
                  "Bytes that are not UTF-8 read as U+FFFD, which is dropped.");
  options.value("vocab_file", o.vocab_file, "the vocabulary, one piece a line").required();
  options.flag("do_lower_case", o.lower_case, "lower case and strip accents (the default)");
  options.flag("cased", o.cased, "keep case and accents");
  options.value("token-rules", o.token_rules,
                "hf: as Hugging Face's tokenizers; recipe: as the PyTorch recipe's "
                "tokenization.py. They differ in rare characters");
  options.flag("jsonl", o.jsonl,
               "print {\"ids\", \"tokens\", \"offsets\"} a line; offsets count code points");
  options.value("max_input_chars_per_word", o.max_input_chars_per_word, "a longer word is [UNK]");
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
  LineTokenizer lines(tokenizer, o.jsonl);
  run_lines(lines);
  return 0;
}

}  // namespace bertha::cli
