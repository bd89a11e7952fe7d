#include "corpus/wikitext_lines.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <vector>

#include "corpus/html_entities.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxHeadingLevel = 6;
constexpr size_t kMinProseWords = 8;
constexpr auto kNone = std::string_view::npos;

/// Ends of sentences, also those of Chinese and Japanese, Hindi, Arabic, Armenian.
constexpr std::array<std::string_view, 12> kTerminators = {".", "!", "?", "。", "！", "？",
                                                           "…", "।", "؟", "۔",  "։",  "．"};
constexpr std::array<std::string_view, 9> kClosers = {"\"", "'", ")",  "]", "”",
                                                      "’",  "»", "」", "』"};

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == kNone) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

template <size_t n>
bool ends_with_any(std::string_view text, const std::array<std::string_view, n>& ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return text.ends_with(end); });
}

bool ends_sentence(std::string_view text) {
  for (int i = 0; i < 3; ++i) {
    if (ends_with_any(text, kTerminators)) return true;
    const auto* const closer =
        std::ranges::find_if(kClosers, [&](std::string_view mark) { return text.ends_with(mark); });
    if (closer == kClosers.end()) return false;
    text.remove_suffix(closer->size());
  }
  return false;
}

/// Writings without blanks count three bytes, one character, as half a word.
bool is_prose(std::string_view item) {
  if (!ends_sentence(item)) return false;
  const auto blanks = static_cast<size_t>(std::ranges::count(item, ' '));
  const auto wide = static_cast<size_t>(
      std::ranges::count_if(item, [](char c) { return static_cast<uint8_t>(c) >= 0xE3; }));
  return blanks + 1 + wide / 2 >= kMinProseWords;
}

/// A run of two or more apostrophes and how many of them are marks.
struct QuoteRun {
  size_t begin = 0;
  size_t length = 0;
  size_t marks = 0;
};

std::vector<QuoteRun> find_quote_runs(std::string_view line) {
  std::vector<QuoteRun> runs;
  for (size_t at = line.find("''"); at != kNone;) {
    const size_t end = std::min(line.find_first_not_of('\'', at), line.size());
    const size_t length = end - at;
    // More than five stood around something that is gone.
    const size_t marks = length == 4 ? 3 : length;
    runs.push_back({at, length, marks});
    at = line.find("''", end);
  }
  return runs;
}

/// As MediaWiki's doQuotes: with an odd number of both bold and italic marks one of the bold marks
/// was an apostrophe and an italic mark ("l'''Iliade''"): that behind a one-letter word, else that
/// behind a longer word, else the first.
void balance_quotes(std::string_view line, std::vector<QuoteRun>& runs) {
  size_t bold = 0;
  size_t italic = 0;
  for (const QuoteRun& run : runs) {
    if (run.marks == 2 || run.marks == 5) ++italic;
    if (run.marks == 3 || run.marks == 5) ++bold;
  }
  if (bold % 2 == 0 || italic % 2 == 0) return;
  QuoteRun* best = nullptr;
  int best_rank = 3;
  for (QuoteRun& run : runs) {
    if (run.marks != 3) continue;
    const char before = run.begin > 0 ? line[run.begin - 1] : ' ';
    const char second = run.begin > 1 ? line[run.begin - 2] : ' ';
    const int rank = before == ' ' ? 2 : second == ' ' ? 0 : 1;
    if (rank < best_rank) {
      best_rank = rank;
      best = &run;
    }
  }
  if (best != nullptr) best->marks = 2;
}

/// Without the marks of bold and italics. Marks stand at the end of a run.
std::string without_quotes(std::string_view line) {
  std::vector<QuoteRun> runs = find_quote_runs(line);
  balance_quotes(line, runs);
  std::string text;
  text.reserve(line.size());
  size_t at = 0;
  for (const QuoteRun& run : runs) {
    text.append(line.substr(at, run.begin + run.length - run.marks - at));
    at = run.begin + run.length;
  }
  return text.append(line.substr(at));
}

/// "__NOTOC__" and its like, in any language's capital letters: the length, or 0.
size_t magic_word_length(std::string_view text) {
  if (!text.starts_with("__")) return 0;
  const size_t end = text.substr(0, 60).find("__", 2);
  if (end == kNone || end == 2) return 0;
  const bool capitals = std::ranges::all_of(text.substr(2, end - 2), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '_' || static_cast<uint8_t>(c) >= 0x80;
  });
  return capitals ? end + 2 : 0;
}

/// A line of prose in the making: one blank between words, none before a comma, no brackets
/// around nothing.
class LineBuilder {
 public:
  void add(std::string_view line) {
    for (size_t at = 0; at < line.size();) {
      size_t end = at;
      while (end < line.size() && is_plain(line[end])) ++end;
      text_.append(line.substr(at, end - at));
      at = end;
      if (at < line.size()) at += take(line.substr(at));
    }
    while (text_.ends_with(' ')) text_.pop_back();
  }
  std::string finish() { return std::move(text_); }

 private:
  /// Characters that take() would only append: neither marks nor the first bytes of rare blanks.
  static bool is_plain(char c) {
    static constexpr std::array<bool, 256> kPlain = [] {
      std::array<bool, 256> table{};
      table.fill(true);
      for (const char mark : std::string_view(" \t\n&_(),.\xC2\xE2\xEF")) {
        table[static_cast<uint8_t>(mark)] = false;
      }
      return table;
    }();
    return kPlain[static_cast<uint8_t>(c)];
  }

  size_t take(std::string_view rest) {
    switch (rest.front()) {
      case '&':
        return take_entity(rest);
      case '_':
        if (const size_t length = magic_word_length(rest); length > 0) return length;
        break;
      case '(':
        return open(rest);
      case ')':
        return close();
      case '\t':
        add_blank();
        return 1;
      case ',':
        drop_blank_before();
        break;
      case '.':
        if (rest.size() == 1 || rest[1] == ' ') drop_blank_before();
        break;
      default:
        break;
    }
    return add_character(rest);
  }

  void add_blank() {
    if (!text_.empty() && text_.back() != ' ' && !text_.ends_with('(')) text_.push_back(' ');
  }
  void drop_blank_before() {
    if (text_.ends_with(' ')) text_.pop_back();
  }

  size_t take_entity(std::string_view rest) {
    std::string character;
    const size_t length = append_entity(rest, character);
    if (length == 0) {
      text_.push_back('&');
      return 1;
    }
    for (size_t at = 0; at < character.size();) {
      at += add_character(std::string_view(character).substr(at));
    }
    return length;
  }

  /// Adds the first of `part`, or a byte of it. Blanks of other widths become blanks; marks without
  /// width go.
  size_t add_character(std::string_view part) {
    const auto lead = static_cast<uint8_t>(part.front());
    if (lead == 0xC2 || lead == 0xE2 || lead == 0xEF) return add_rare(part);
    if (part.front() == ' ' || part.front() == '\n') {
      add_blank();
    } else {
      text_.push_back(part.front());
    }
    return 1;
  }

  size_t add_rare(std::string_view part) {
    constexpr std::array<std::string_view, 16> kBlanks = {
        "\u00a0", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
        "\u2007", "\u2008", "\u2009", "\u200a", "\u202f", "\u205f", "\u2028", "\u2029"};
    constexpr std::array<std::string_view, 6> kNothing = {"\u00ad", "\u200b", "\u200e",
                                                          "\u200f", "\u2060", "\ufeff"};
    for (const std::string_view blank : kBlanks) {
      if (!part.starts_with(blank)) continue;
      add_blank();
      return blank.size();
    }
    for (const std::string_view nothing : kNothing) {
      if (part.starts_with(nothing)) return nothing.size();
    }
    text_.push_back(part.front());
    return 1;
  }

  /// What separated things that are gone is skipped: "(; born 1950)".
  size_t open(std::string_view rest) {
    text_.push_back('(');
    const size_t skipped = std::min(rest.find_first_not_of(" ,;", 1), rest.size());
    return skipped;
  }

  size_t close() {
    while (!text_.empty() && (text_.back() == ' ' || text_.back() == ',' || text_.back() == ';')) {
      text_.pop_back();
    }
    if (text_.ends_with('(')) {
      text_.pop_back();
    } else {
      text_.push_back(')');
    }
    return 1;
  }

  std::string text_;
};

std::string prose_of(std::string_view line) {
  LineBuilder builder;
  builder.add(line.find("''") == kNone ? std::string(line) : without_quotes(line));
  std::string text = builder.finish();
  for (const std::string_view empty : {"（）", "「」", "[]"}) {
    if (text.find(empty) == kNone) continue;
    std::string kept;
    size_t at = 0;
    for (size_t found = text.find(empty); found != kNone; found = text.find(empty, at)) {
      kept.append(text, at, found - at);
      at = found + empty.size();
    }
    text = kept.append(text, at);
  }
  return text;
}

/// Rows and cells of a table that was never opened or closed.
bool is_table_rest(std::string_view line) {
  if (line.starts_with('|') || line.starts_with("{|")) return true;
  return line.starts_with('!') && (line.find('|') != kNone || line.find("!!") != kNone);
}

/// Something that is read aloud: not marks alone.
bool has_words(std::string_view line) {
  return std::ranges::any_of(line, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<uint8_t>(c) >= 0xC3;
  });
}

class Document {
 public:
  explicit Document(const WikitextOptions& options) : options_(options) {}

  void add_line(std::string_view raw) {
    std::string_view line = trim(raw);
    if (line.empty() || is_table_rest(line)) return;
    if (line.starts_with("----")) {
      line = trim(line.substr(std::min(line.find_first_not_of('-'), line.size())));
      if (line.empty()) return;
    }
    if (line.front() == '=') line = take_heading(line);
    if (line.empty()) return;
    const size_t marks = std::min(line.find_first_not_of("*#:; \t"), line.size());
    const bool is_item = line.substr(0, marks).find_first_of("*#;") != kNone;
    if (is_item && options_.lists == ListItems::kNone) return;
    const std::string prose = prose_of(line.substr(marks));
    if (!has_words(prose)) return;
    if (is_item && options_.lists == ListItems::kProse && !is_prose(prose)) return;
    flush_headings();
    text_.append(prose).push_back('\n');
  }

  std::string finish() { return std::move(text_); }

 private:
  /// Takes the heading at the start of a line and returns what stands behind it: nothing, but for
  /// "== Title == words" and for marks that are not closed, which go.
  std::string_view take_heading(std::string_view line) {
    const size_t left = std::min(line.find_first_not_of('='), line.size());
    if (left == line.size() || (left == 1 && !line.ends_with('='))) return line;
    const std::string_view marks = line.substr(0, std::min(left, kMaxHeadingLevel));
    size_t end = line.ends_with('=') ? line.size() : line.find(marks, left);
    if (end == kNone) return trim(line.substr(left));
    end = std::min(line.find_first_not_of('=', end), line.size());
    const std::string_view heading = line.substr(0, end);
    const size_t right = end - 1 - heading.find_last_not_of('=');
    const size_t level = std::min({left, right, kMaxHeadingLevel});
    add_heading(level, trim(heading.substr(level, end - 2 * level)));
    return trim(line.substr(end));
  }

  void add_heading(size_t level, std::string_view text) {
    std::string title = prose_of(text);
    for (size_t i = level; i <= kMaxHeadingLevel; ++i) headings_[i].clear();
    if (!title.empty() && !ends_with_any(title, kTerminators)) title += '.';
    headings_[level] = std::move(title);
  }

  void flush_headings() {
    for (std::string& title : headings_) {
      if (!title.empty() && options_.headings) text_.append(title).push_back('\n');
      title.clear();
    }
  }

  const WikitextOptions& options_;
  std::string text_;
  std::array<std::string, kMaxHeadingLevel + 1> headings_;  // pending, by level
};

}  // namespace

std::string finish_lines(std::string_view text, const WikitextOptions& options) {
  Document document(options);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    document.add_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return document.finish();
}

}  // namespace bertha::corpus
