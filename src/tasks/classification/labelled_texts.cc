#include "tasks/classification/labelled_texts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <span>

#include "core/error.h"
#include "core/strings.h"
#include "io/text_file.h"
#include "tasks/table/table_reader.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {
namespace {

// In order of preference: GLUE's names first. Only QNLI has a "question" beside a "sentence".
constexpr std::array<std::string_view, 9> kTextNames = {"sentence1", "question1", "question",
                                                        "premise",   "#1 String", "sentence",
                                                        "text",      "text1",     "text_a"};
constexpr std::array<std::string_view, 8> kPairNames = {"sentence2",  "question2", "sentence",
                                                        "hypothesis", "#2 String", "text2",
                                                        "text_b",     "text_pair"};
constexpr std::array<std::string_view, 6> kLabelNames = {"label",   "gold_label", "is_duplicate",
                                                         "Quality", "score",      "labels"};

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first));
}

/// The parts between separators, without blanks around them and without empty ones.
std::vector<std::string> parts_of(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    std::string part = trimmed(text.substr(begin, end - begin));
    if (!part.empty()) parts.push_back(std::move(part));
    begin = end + separator.size();
  }
  return parts;
}

/// Index of the column of this name, or -1 when it is absent. Without one of just this case of
/// letters, a column of another case counts if there is only one.
int64_t column_named(const std::vector<std::string>& header, std::string_view name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found != header.end()) return found - header.begin();
  int64_t index = -1;
  for (size_t i = 0; i < header.size(); ++i) {
    if (lower_ascii(header[i]) != lower_ascii(name)) continue;
    if (index >= 0) return -1;
    index = static_cast<int64_t>(i);
  }
  return index;
}

/// Index of the column, or -1 when it is absent. Tries `names` when no column was chosen.
int64_t find_column(const std::vector<std::string>& header, const std::string& chosen,
                    std::span<const std::string_view> names) {
  if (!chosen.empty()) return column_named(header, chosen);
  for (const std::string_view name : names) {
    if (const int64_t index = column_named(header, name); index >= 0) return index;
  }
  return -1;
}

/// "3" becomes 2. Returns -1 when the text is not a number from 1 on.
int64_t column_number(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, number);
  return bad == std::errc() && rest == end && number >= 1 ? number - 1 : -1;
}

struct Columns {
  int64_t text = -1;
  int64_t pair = -1;
  int64_t label = -1;
  std::vector<int64_t> marks{};  ///< of 0 or 1, one for each of several labels

  bool labelled() const { return label >= 0 || !marks.empty(); }
};

/// CoLA's train.tsv and dev.tsv as published: no header, and the columns source, label, original
/// mark, sentence.
Columns cola_columns() {
  return {.text = 3, .pair = -1, .label = 1};
}
bool is_cola(const Table& table) {
  const std::vector<std::string>& first = table.header;
  return table.format == TableFormat::kTsv && first.size() == 4 &&
         (first[1] == "0" || first[1] == "1") && (first[2].empty() || first[2] == "*");
}

/// The columns of several names with commas between them; nothing where it is one column's name, or
/// where one of them is absent.
std::vector<int64_t> mark_columns(const Table& table, const std::string& chosen) {
  std::vector<int64_t> columns;
  if (column_named(table.header, chosen) >= 0) return columns;
  const std::vector<std::string> names = parts_of(chosen, ",");
  for (const std::string& name : names) columns.push_back(column_named(table.header, name));
  const bool all = std::find(columns.begin(), columns.end(), -1) == columns.end();
  return all && names.size() > 1 ? columns : std::vector<int64_t>();
}

Columns named_columns(const Table& table, const ColumnChoice& choice) {
  Columns columns;
  columns.marks = mark_columns(table, choice.label);
  columns.text = find_column(table.header, choice.text, kTextNames);
  columns.pair = find_column(table.header, choice.pair, kPairNames);
  columns.label = find_column(table.header, choice.label, kLabelNames);
  if (columns.pair == columns.text) columns.pair = -1;
  return columns;
}

/// The names of columns for a message, not all of them if there are many.
std::string shown_names(const std::vector<std::string>& header) {
  constexpr size_t kMost = 20;
  if (header.empty()) return "none";
  if (header.size() <= kMost) return join(header, ", ");
  return fmt::format("{}, … ({} columns)", join(std::span(header).first(kMost), ", "),
                     header.size());
}

void check_columns(const Columns& columns, const ColumnChoice& choice, const Table& table,
                   const std::string& path) {
  const auto check = [&](const std::string& chosen, int64_t found, const char* option) {
    if (found >= 0 || chosen.empty()) return;
    fail("{}: no column \"{}\" (--{}) among {}", path, chosen, option, shown_names(table.header));
  };
  check(choice.text, columns.text, "text-column");
  check(choice.pair, columns.pair, "pair-column");
  if (columns.marks.empty()) check(choice.label, columns.label, "label-column");
  if (columns.text >= 0) return;
  fail(
      "{}: no known column of texts among {}; name it with --text-column, or give its number if "
      "the file has no header",
      path, shown_names(table.header));
}

/// The field of a column, or nothing where the row or the file has none.
std::optional<std::string_view> field(const TableRow& row, int64_t column) {
  if (column < 0 || column >= std::ssize(row.fields)) return std::nullopt;
  const std::string_view text = row.fields[static_cast<size_t>(column)];
  return text.data() == nullptr ? std::nullopt : std::optional(text);
}

/// What programs write for a label that is missing, as pandas reads it.
bool is_missing(std::string_view label) {
  constexpr std::array<std::string_view, 6> kNames = {"NaN", "nan", "None", "<NA>", "NULL", "null"};
  return std::find(kNames.begin(), kNames.end(), label) != kNames.end();
}

/// The labels whose columns hold 1; nothing where a column holds neither 0 nor 1.
std::optional<std::vector<std::string>> marked_labels(const TableRow& row,
                                                      const std::vector<int64_t>& columns,
                                                      const std::vector<std::string>& names) {
  std::vector<std::string> labels;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string mark = lower_ascii(trimmed(field(row, columns[i]).value_or("")));
    const bool holds = mark == "1" || mark == "1.0" || mark == "true";
    if (!holds && mark != "0" && mark != "0.0" && mark != "false") return std::nullopt;
    if (holds) labels.push_back(names[i]);
  }
  return labels;
}

/// The items of a list in JSON; nothing where the field is no list.
std::optional<std::vector<std::string>> listed_labels(const TableRow& row, int64_t column) {
  for (const TableList& list : row.lists) {
    if (static_cast<int64_t>(list.column) != column) continue;
    std::vector<std::string> labels;
    for (const std::string_view item : list.items) labels.push_back(trimmed(item));
    return labels;
  }
  return std::nullopt;
}

void take_labels(const TableRow& row, const Columns& columns, const ColumnChoice& choice,
                 const LabelledTexts& file, LabelledText& to) {
  if (!columns.marks.empty()) {
    to.labels = marked_labels(row, columns.marks, file.label_columns);
    return;
  }
  to.labels = listed_labels(row, columns.label);
  const auto found = field(row, columns.label);
  if (!found) return;
  to.label = trimmed(*found);
  if (choice.separator && !is_missing(to.label)) to.labels = parts_of(to.label, *choice.separator);
}

void take_rows(const Table& table, const Columns& columns, const ColumnChoice& choice,
               LabelledTexts& result) {
  for (const TableRow& row : table.rows) {
    const auto text = field(row, columns.text);
    const auto pair = field(row, columns.pair);
    if (!text || (result.pairs && !pair)) {
      result.problems.add("row without a text, left out", table.place(row));
      continue;
    }
    LabelledText& to = result.rows.emplace_back();
    to.text = *text;
    to.pair = pair.value_or("");
    to.row = row.number;
    to.place = table.place(row);
    take_labels(row, columns, choice, result, to);
  }
}

/// Why a row has no label; empty where it has one.
std::string why_unlabelled(const LabelledText& row, bool has_plus) {
  if (row.labels) return "";
  if (row.label.empty()) return "row without a label, left out";
  if (is_missing(row.label)) {
    return fmt::format("row labelled \"{}\", a missing value, left out", row.label);
  }
  if (row.label == "-" && !has_plus) return "row labelled \"-\", no agreement, left out";
  return "";
}

void check_labels_differ(const LabelledText& row, const std::string& path) {
  std::set<std::string> seen;
  for (const std::string& label : row.labels.value_or(std::vector<std::string>())) {
    if (seen.insert(label).second) continue;
    fail(
        "{}: {}: the label \"{}\" comes twice: expected names of labels, no vector of 0 and 1 "
        "(--label-column takes the names of several columns of 0 and 1)",
        path, row.place, label);
  }
}

/// Cuts the longer of the two, token by token, until both fit. Returns whether it cut.
bool truncate_pair(std::vector<int32_t>& a, std::vector<int32_t>& b, int64_t room) {
  const bool cut = std::ssize(a) + std::ssize(b) > room;
  while (std::ssize(a) + std::ssize(b) > room) (a.size() > b.size() ? a : b).pop_back();
  return cut;
}

}  // namespace

LabelledTexts parse_labelled_texts(std::string_view contents, const std::string& path,
                                   const ColumnChoice& choice) {
  const bool numbered = column_number(choice.text) >= 0;
  Table table = parse_table(contents, path, !numbered);
  Columns columns;
  if (numbered && table.header.empty()) {
    columns = {column_number(choice.text), column_number(choice.pair), column_number(choice.label)};
  } else if (choice.text.empty() && is_cola(table)) {
    table = parse_table(contents, path, false);
    table.notes.emplace_back("it has no header: its columns are taken for CoLA's");
    columns = cola_columns();
  } else {
    columns = named_columns(table, choice);
  }
  check_columns(columns, choice, table, path);
  LabelledTexts result;
  result.path = path;
  result.pairs = columns.pair >= 0;
  result.labelled = columns.labelled();
  for (const int64_t column : columns.marks) {
    result.label_columns.push_back(table.header[static_cast<size_t>(column)]);
  }
  result.problems = std::move(table.problems);
  result.notes = std::move(table.notes);
  take_rows(table, columns, choice, result);
  if (result.rows.empty()) {
    fail("{}: no row with a text{}", path,
         result.problems.empty() ? "" : "; " + join(result.problems.lines(), "; "));
  }
  return result;
}

LabelledTexts read_labelled_texts(const std::string& path, const ColumnChoice& columns) {
  const io::TextFile file(path);
  return parse_labelled_texts(file.text(), file.path(), columns);
}

void LabelledTexts::keep_labelled() {
  if (!labelled) fail("{}: no column of labels; name it with --label-column", path);
  const bool has_plus = std::any_of(rows.begin(), rows.end(),
                                    [](const LabelledText& row) { return row.label == "+"; });
  std::erase_if(rows, [&](const LabelledText& row) {
    const std::string why = why_unlabelled(row, has_plus);
    if (!why.empty()) problems.add(why, row.place);
    return !why.empty();
  });
  for (const LabelledText& row : rows) check_labels_differ(row, path);
  if (rows.empty()) fail("{}: no row with a label", path);
}

void LabelledTexts::keep_single_labels() {
  std::erase_if(rows, [&](LabelledText& row) {
    if (!row.labels) return false;
    if (row.labels->size() == 1) row.label = row.labels->front();
    if (row.labels->size() != 1) problems.add("row without just one label, left out", row.place);
    return row.labels->size() != 1;
  });
  if (rows.empty()) fail("{}: no row with just one label", path);
}

text::ModelInput classifier_input(std::string_view text, std::optional<std::string_view> pair,
                                  const text::Tokenizer& tokenizer, int64_t max_tokens,
                                  std::optional<bool> cut_left) {
  const text::TokenizerSettings& settings = tokenizer.settings();
  const int64_t room = max_tokens - settings.sequence.special_tokens(pair.has_value());
  if (room < 0) fail("the tokenizer adds more special tokens than the {} of a row", max_tokens);
  text::ModelInput input;
  if (settings.truncation || cut_left.value_or(settings.truncate_left)) {
    input = text::model_input(tokenizer, text, pair, max_tokens, cut_left);
  } else {
    text::EncodedText first;
    text::EncodedText second;
    tokenizer.encode(text, first.ids);
    if (pair) tokenizer.encode(*pair, second.ids);
    const bool cut = truncate_pair(first.ids, second.ids, room);
    input = text::with_special_tokens(tokenizer, first, pair ? &second : nullptr);
    input.cut = cut;
  }
  if (input.ids.empty()) fail("the text \"{}\" has no token", text);
  return input;
}

void append_text(std::string_view text, std::optional<std::string_view> pair,
                 const text::Tokenizer& tokenizer, int64_t max_tokens, RaggedBatch& batch) {
  text::append(classifier_input(text, pair, tokenizer, max_tokens), batch);
}

}  // namespace bertha::tasks
