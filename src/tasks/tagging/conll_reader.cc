#include "tasks/tagging/conll_reader.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/error.h"
#include "tasks/tagging/text_lines.h"

namespace bertha::tasks {
namespace {

using Fields = std::vector<std::string_view>;

constexpr int64_t kSentencesToLookAt = 10;

bool looks_like_label(std::string_view text) {
  constexpr std::string_view kPrefixes = "BIES";
  if (text == "O" || text == "B" || text == "I" || text == "E" || text == "S") return true;
  return text.size() > 2 && kPrefixes.find(text[0]) != kPrefixes.npos && text[1] == '-';
}

/// How the rows of a file are read.
struct Layout {
  bool tabs = false;  ///< tabs alone separate columns; otherwise blanks and tabs
  int64_t columns = 0;
  int64_t word = 0;
  int64_t label = -1;     ///< -1: none
  bool numbered = false;  ///< the first column numbers the words of a sentence

  void split(std::string_view line, Fields& fields) const {
    fields.clear();
    const std::string_view separators = tabs ? "\t" : " \t";
    while (!line.empty()) {
      const size_t end = std::min(line.find_first_of(separators), line.size());
      if (tabs || end > 0) fields.push_back(line.substr(0, end));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
  }
};

enum class Line : uint8_t { kBetween, kComment, kRow };

/// Reads the lines of a file one after the other.
class Rows {
 public:
  Rows(std::string_view contents, const Layout& layout) : lines_(contents), layout_(layout) {}

  /// Moves to the next line; false at the end.
  bool next() {
    if (kind_ == Line::kBetween) in_sentence_ = false;
    if (kind_ == Line::kRow) in_sentence_ = true;
    if (!lines_.next()) return false;
    kind_ = kind_of(lines_.line());
    return true;
  }
  Line kind() const { return kind_; }
  /// Whether rows of the same sentence precede the line.
  bool in_sentence() const { return in_sentence_; }
  const Fields& fields() const { return fields_; }
  int64_t number() const { return lines_.number(); }

 private:
  Line kind_of(std::string_view line) {
    if (line.find_first_not_of(" \t") == line.npos) return Line::kBetween;
    if (line.starts_with("-DOCSTART-")) return Line::kBetween;
    layout_.split(line, fields_);
    return !in_sentence_ && is_comment(line) ? Line::kComment : Line::kRow;
  }

  /// A word may begin with "#", so that a comment is known by its fields.
  bool is_comment(std::string_view line) const {
    if (!line.starts_with('#') || layout_.columns == 0) return false;
    if (std::ssize(fields_) != layout_.columns) return true;
    return line.starts_with("# ") && layout_.columns > 2 && !looks_like_label(fields_.back());
  }

  TextLines lines_;
  const Layout& layout_;
  Fields fields_;
  Line kind_ = Line::kBetween;
  bool in_sentence_ = false;
};

/// The separator and the number of columns, from the first row that is surely no comment.
void look_at_first_row(std::string_view contents, Layout& layout) {
  TextLines lines(contents);
  std::string_view first;
  while (lines.next()) {
    const std::string_view line = lines.line();
    if (line.find_first_not_of(" \t") == line.npos || line.starts_with("-DOCSTART-")) continue;
    if (first.empty()) first = line;
    if (line.starts_with('#')) continue;
    first = line;
    break;
  }
  layout.tabs = first.find('\t') != first.npos;
  Fields fields;
  layout.split(first, fields);
  layout.columns = std::ssize(fields);
}

/// Whether the text is the number, or one with a range or fraction behind it: "3", "3-4", "3.1".
bool is_word_number(std::string_view text, int64_t expected, bool& extra) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, number);
  if (bad != std::errc()) return false;
  extra = rest != end;
  if (!extra) return number == expected;
  return (*rest == '-' && number == expected) || (*rest == '.' && number == expected - 1);
}

/// Counts the words of a sentence by the numbers in their first column.
class WordNumbers {
 public:
  enum class Row : uint8_t { kWord, kExtra, kWrong };

  int64_t expected() const { return next_; }
  void begin_sentence() { next_ = 1; }
  Row take(std::string_view field) {
    bool extra = false;
    if (!is_word_number(field, next_, extra)) return Row::kWrong;
    if (!extra) ++next_;
    return extra ? Row::kExtra : Row::kWord;
  }

 private:
  int64_t next_ = 1;
};

bool first_column_numbers_words(std::string_view contents, const Layout& layout) {
  if (layout.columns < 3) return false;
  Rows rows(contents, layout);
  WordNumbers numbers;
  int64_t words = 0;
  int64_t sentences = 0;
  while (sentences <= kSentencesToLookAt && rows.next()) {
    if (rows.kind() != Line::kRow) continue;
    if (!rows.in_sentence()) {
      numbers.begin_sentence();
      ++sentences;
    }
    if (numbers.take(rows.fields()[0]) == WordNumbers::Row::kWrong) return false;
    ++words;
  }
  return words > 1;
}

/// The column that an option numbers, from 0.
int64_t column_of(const std::string& typed, const char* option, const Layout& layout,
                  const std::string& path) {
  int64_t number = 0;
  const char* const end = typed.data() + typed.size();
  const auto [rest, bad] = std::from_chars(typed.data(), end, number);
  if (bad != std::errc() || rest != end || number < 1 || number > layout.columns) {
    fail("{}: --{} {}: expected a number from 1 to {}, the columns of the first row", path, option,
         typed, layout.columns);
  }
  return number - 1;
}

Layout layout_of(std::string_view contents, const TagColumns& columns, TaggedFile& file) {
  Layout layout;
  look_at_first_row(contents, layout);
  if (layout.columns == 0) fail("{}: no line with a word", file.path);
  layout.numbered = columns.word.empty() && first_column_numbers_words(contents, layout);
  layout.word = layout.numbered ? 1 : 0;
  if (layout.columns > 1) layout.label = layout.numbered ? 2 : layout.columns - 1;
  if (!columns.word.empty())
    layout.word = column_of(columns.word, "word-column", layout, file.path);
  if (!columns.label.empty()) {
    layout.label = column_of(columns.label, "label-column", layout, file.path);
  }
  if (layout.numbered) {
    file.notes.push_back(fmt::format(
        "the first column numbers the words: column {} is taken for the word, column {} for the "
        "label",
        layout.word + 1, layout.label + 1));
  }
  return layout;
}

std::string field_of(const Rows& rows, int64_t column, const char* what, const std::string& path) {
  const std::string_view text = rows.fields()[static_cast<size_t>(column)];
  if (text.find_first_not_of(' ') == text.npos) {
    fail("{}: line {}: the {}, column {}, is empty", path, rows.number(), what, column + 1);
  }
  return std::string(text);
}

class Reader {
 public:
  Reader(std::string_view contents, const Layout& layout, TaggedFile& file)
      : rows_(contents, layout), layout_(layout), file_(file) {}

  void run() {
    while (rows_.next()) {
      if (rows_.kind() == Line::kRow) take_row();
    }
  }

 private:
  void take_row() {
    if (std::ssize(rows_.fields()) != layout_.columns) {
      fail("{}: line {}: {} columns, expected {} as in the first row", file_.path, rows_.number(),
           rows_.fields().size(), layout_.columns);
    }
    if (!rows_.in_sentence()) begin_sentence();
    if (layout_.numbered && !takes_number()) return;
    TaggedSentence& sentence = file_.sentences.back();
    sentence.words.push_back(field_of(rows_, layout_.word, "word", file_.path));
    sentence.lines.push_back(rows_.number());
    if (layout_.label < 0) return;
    sentence.labels.push_back(field_of(rows_, layout_.label, "label", file_.path));
    if (looks_like_label(sentence.labels.back())) return;
    file_.problems.add("label that is not O and has no prefix B-, I-, E- or S-",
                       fmt::format("line {}", rows_.number()));
  }

  void begin_sentence() {
    file_.sentences.emplace_back();
    numbers_.begin_sentence();
  }

  /// False for a row that is no word of its own: several words written as one, or an omitted word.
  bool takes_number() {
    const std::string_view field = rows_.fields()[0];
    const WordNumbers::Row row = numbers_.take(field);
    const std::string place = fmt::format("line {}", rows_.number());
    if (row == WordNumbers::Row::kWrong) {
      fail(
          "{}: {}: \"{}\" in the first column, expected {}, the number of the word; --word-column "
          "and --label-column say which columns to read",
          file_.path, place, field, numbers_.expected());
    }
    if (row == WordNumbers::Row::kExtra) {
      file_.problems.add("row of several words or of none, left out", place);
    }
    return row == WordNumbers::Row::kWord;
  }

  Rows rows_;
  const Layout& layout_;
  TaggedFile& file_;
  WordNumbers numbers_;
};

}  // namespace

void read_conll(std::string_view contents, const TagColumns& columns, TaggedFile& file) {
  const Layout layout = layout_of(contents, columns, file);
  file.separator = layout.tabs ? '\t' : ' ';
  file.labelled = layout.label >= 0;
  Reader(contents, layout, file).run();
  std::erase_if(file.sentences, [](const TaggedSentence& s) { return s.words.empty(); });
}

}  // namespace bertha::tasks
