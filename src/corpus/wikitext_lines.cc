#include "corpus/wikitext_lines.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <string>

#include "core/strings.h"
#include "core/utf8.h"
#include "corpus/html_entities.h"
#include "corpus/wikitext_quotes.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxHeadingLevel = 6;
constexpr size_t kMinProseWords = 8;
constexpr auto kNone = std::string_view::npos;

/// End marks of sentences, including Chinese and Japanese, Hindi, Arabic, Armenian.
constexpr std::array<std::string_view, 12> kTerminators = {".", "!", "?", "。", "！", "？",
                                                           "…", "।", "؟", "۔",  "։",  "．"};
constexpr std::array<std::string_view, 9> kClosers = {"\"", "'", ")",  "]", "”",
                                                      "’",  "»", "」", "』"};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
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

/// In scripts without spaces, one character (three bytes) counts as half a word.
bool is_prose(std::string_view item) {
  if (!ends_sentence(item)) return false;
  const auto blanks = static_cast<size_t>(std::ranges::count(item, ' '));
  const auto wide = static_cast<size_t>(
      std::ranges::count_if(item, [](char c) { return static_cast<uint8_t>(c) >= 0xE3; }));
  return blanks + 1 + wide / 2 >= kMinProseWords;
}

/// Magic words that are written with ASCII letters, of MediaWiki and of its larger translations.
constexpr auto kMagicWords = std::to_array<std::string_view>(
    {"notoc", "forcetoc", "toc", "noeditsection", "newsectionlink", "nonewsectionlink", "hiddencat",
     "expectunusedcategory", "expectunusedtemplate", "index", "noindex", "staticredirect",
     "nogallery", "notitleconvert", "notc", "nocontentconvert", "nocc", "disambig", "noglobal",
     "archivedtalk", "notalk", "expectedunconnectedpage", "start", "end",
     // German
     "kein_inhaltsverzeichnis", "inhaltsverzeichnis_erzwingen", "inhaltsverzeichnis",
     "abschnitte_nicht_bearbeiten", "neuer_abschnittslink", "kein_neuer_abschnittslink",
     "keine_galerie", "versteckte_kategorie", "indexieren", "nicht_indexieren",
     "permanente_weiterleitung", "begriffsklaerung",
     // French
     "aucunsommaire", "aucunetdm", "sommaire", "tdm", "forcersommaire", "forcertdm",
     "sectionnoneditable", "lienvernouvellesection", "liennouvellesection", "aucunegalerie",
     "aucunindex", "noindexer",
     // Spanish
     "sin_tdc", "notdc", "tdc", "forzar_tdc", "forzartdc", "no_editar_seccion", "sin_galeria",
     "categoria_oculta", "nuevo_enlace_seccion",
     // Italian
     "noindice", "indice", "forzaindice", "nomodificasezione", "nogalleria",
     // Portuguese
     "semtdc", "semsumario", "sumario", "forcartdc", "forcarsumario", "semgaleria", "indexar",
     "naoindexar",
     // Dutch
     "geeninhoud", "inhoud", "inhoud_dwingen", "forceerinhoud", "niet_bewerkbare_sectie",
     // Polish
     "bezspisu", "bez_spisu", "spis", "bezgalerii"});

/// The length of a magic word such as "__NOTOC__", or 0. Words with other than ASCII letters are
/// not listed: no other text has this form.
size_t magic_word_length(std::string_view text) {
  if (!text.starts_with("__")) return 0;
  const size_t end = text.substr(0, 60).find("__", 2);
  if (end == kNone || end == 2) return 0;
  const std::string_view word = text.substr(2, end - 2);
  const bool is_ascii = std::ranges::all_of(word, [](char c) { return (c & 0x80) == 0; });
  const bool is_known = is_ascii
                            ? std::ranges::find(kMagicWords, lower_ascii(word)) != kMagicWords.end()
                            : word.find_first_of(" abcdefghijklmnopqrstuvwxyz") == kNone;
  return is_known ? end + 2 : 0;
}

/// The replacement of a zero-width character or a space of unusual width.
enum class Spacing : uint8_t { kOrdinary, kBlank, kNothing };

Spacing spacing_of(char32_t code_point) {
  if (code_point >= 0x2000 && code_point <= 0x200A) return Spacing::kBlank;
  switch (code_point) {
    case 0x00A0:  // no-break
    case 0x2028:  // line and paragraph separator
    case 0x2029:
    case 0x202F:  // narrow no-break
    case 0x205F:  // mathematical
      return Spacing::kBlank;
    case 0x00AD:  // soft hyphen
    case 0x200B:  // zero width
    case 0x200E:  // directions of writing
    case 0x200F:
    case 0x2060:  // word joiner
    case 0xFEFF:  // byte order mark
      return Spacing::kNothing;
    default:
      return Spacing::kOrdinary;
  }
}

/// Builds a line of prose: one space between words, none before a comma, no empty brackets.
class LineBuilder {
 public:
  void add(std::string_view line) {
    text_.clear();
    for (size_t at = 0; at < line.size();) {
      const size_t end = plain_end(line, at);
      text_.append(line.substr(at, end - at));
      at = end;
      if (at < line.size()) at += take(line.substr(at));
    }
    while (text_.ends_with(' ')) text_.pop_back();
  }
  std::string& text() { return text_; }

 private:
  // Flags of a character. The low four bits state how it affects the next character; the high four
  // bits state after which characters it needs a check: any, a space, an underscore.
  static constexpr uint8_t kAny = 1;
  static constexpr uint8_t kBlank = 2;
  static constexpr uint8_t kUnderscore = 4;
  static constexpr std::array<uint8_t, 256> kClasses = [] {
    std::array<uint8_t, 256> classes{};
    classes.fill(kAny);
    // Marks, and the first bytes of spaces of unusual width.
    for (const char mark : std::string_view("\x02\x03\t\n&()\xC2\xE2\xEF")) {
      classes[static_cast<uint8_t>(mark)] |= kAny << 4;
    }
    for (const char mark : std::string_view(" ,.")) {
      classes[static_cast<uint8_t>(mark)] |= kBlank << 4;
    }
    classes[' '] |= kBlank;
    classes['_'] |= kUnderscore | (kUnderscore << 4);
    return classes;
  }();

  /// The end of the run of characters from `at` on that take() would append unchanged. Only the
  /// first character depends on the text before it. Within the run, a space or a comma after a
  /// letter needs no check, so most sentences are a few runs: one lookup per character and one copy
  /// per run.
  static size_t plain_end(std::string_view line, size_t at) {
    unsigned before = kClasses[static_cast<uint8_t>(line[at])];
    if (before >> 4 != 0) return at;
    for (size_t end = at + 1; end < line.size(); ++end) {
      const unsigned here = kClasses[static_cast<uint8_t>(line[end])];
      if ((before & (here >> 4)) != 0) return line[end] == '_' ? end - 1 : end;
      before = here;
    }
    return line.size();
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
      case kGuard:
        return 1;
      case kApostrophe:
        text_.push_back('\'');
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

  /// Adds the first character of `part`, or one byte of it. Spaces of unusual width become spaces;
  /// zero-width characters are dropped.
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
    const Decoded character = decode_utf8(part.data(), part.data() + part.size());
    const auto length = static_cast<size_t>(character.length);
    switch (spacing_of(character.code_point)) {
      case Spacing::kBlank:
        add_blank();
        break;
      case Spacing::kNothing:
        break;
      case Spacing::kOrdinary:
        text_.append(part.substr(0, length));
    }
    return length;
  }

  /// Skips separators of removed elements: "(; born 1950)".
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

void remove_all(std::string_view what, std::string& text) {
  size_t found = text.find(what);
  if (found == kNone) return;
  std::string kept;
  size_t at = 0;
  for (; found != kNone; found = text.find(what, at)) {
    kept.append(text, at, found - at);
    at = found + what.size();
  }
  text = kept.append(text, at);
}

/// Makes prose from lines, one at a time. Its buffers are reused for all lines.
class ProseMaker {
 public:
  /// The result is valid until the next call.
  const std::string& prose_of(std::string_view line) {
    builder_.add(quotes_.remove(line));
    for (const std::string_view empty : {"（）", "「」", "[]"}) remove_all(empty, builder_.text());
    return builder_.text();
  }

 private:
  QuoteRemover quotes_;
  LineBuilder builder_;
};

/// True for rows and cells of a table that was never opened or closed.
bool is_table_rest(std::string_view line) {
  if (line.starts_with('|') || line.starts_with("{|")) return true;
  return line.starts_with('!') && (line.find('|') != kNone || line.find("!!") != kNone);
}

/// True when the line has words, not only punctuation.
bool has_words(std::string_view line) {
  return std::ranges::any_of(line, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<uint8_t>(c) >= 0xC3;
  });
}

/// True for a line of formulas alone, which stood on a line of their own between two paragraphs.
bool is_formula(std::string_view line) {
  if (!line.starts_with(kFormulaWord)) return false;
  while (line.starts_with(kFormulaWord)) {
    line.remove_prefix(kFormulaWord.size());
    line.remove_prefix(std::min(line.find_first_not_of("0123456789 .,;:"), line.size()));
  }
  return !has_words(line);
}

class Document {
 public:
  explicit Document(const WikitextOptions& options) : options_(options) {}

  void add_line(std::string_view raw) {
    std::string_view line = trim(raw);
    while (const size_t length = magic_word_length(line)) line = trim(line.substr(length));
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
    const std::string& prose = maker_.prose_of(line.substr(marks));
    if (!has_words(prose) || is_formula(prose)) return;
    if (is_item && options_.lists == ListItems::kProse && !is_prose(prose)) return;
    flush_headings();
    text_.append(prose).push_back('\n');
  }

  std::string finish() { return std::move(text_); }

 private:
  /// Reads the heading at the start of a line and returns the text after it. That text is empty,
  /// except in "== Title == words". Unclosed marks are dropped.
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
    std::string title = maker_.prose_of(text);
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
  ProseMaker maker_;
  std::string text_;
  std::array<std::string, kMaxHeadingLevel + 1> headings_;  // pending headings, by level
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
