#include "tasks/classification/labelled_texts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "core/error.h"
#include "core/strings.h"
#include "io/text_file.h"
#include "tasks/table/table_reader.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {
namespace {

// In order of preference: GLUE's names first. Only QNLI has a "question" beside a "sentence".
constexpr std::array<std::string_view, 10> kTextNames = {
    "sentence1", "question1", "question", "premise", "#1 String",
    "sentence",  "text",      "text1",    "text_a",  "Premise"};
constexpr std::array<std::string_view, 9> kPairNames = {"sentence2",  "question2", "sentence",
                                                        "hypothesis", "#2 String", "text2",
                                                        "text_b",     "text_pair", "Hypothesis"};
constexpr std::array<std::string_view, 7> kLabelNames = {
    "label", "gold_label", "is_duplicate", "Quality", "score", "labels", "Label"};

/// Index of the column, or -1 when it is absent. Tries `names` when no column was chosen.
int64_t find_column(const std::vector<std::string>& header, const std::string& chosen,
                    std::span<const std::string_view> names) {
  const auto index_of = [&](std::string_view name) -> int64_t {
    const auto found = std::find(header.begin(), header.end(), name);
    return found == header.end() ? -1 : found - header.begin();
  };
  if (!chosen.empty()) return index_of(chosen);
  for (const std::string_view name : names) {
    if (const int64_t index = index_of(name); index >= 0) return index;
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
};

/// CoLA's train.tsv and dev.tsv as published: no header, and the columns source, label, original
/// mark, sentence.
constexpr Columns kCola = {.text = 3, .pair = -1, .label = 1};
bool is_cola(const Table& table) {
  const std::vector<std::string>& first = table.header;
  return table.format == TableFormat::kTsv && first.size() == 4 &&
         (first[1] == "0" || first[1] == "1") && (first[2].empty() || first[2] == "*");
}

Columns named_columns(const Table& table, const ColumnChoice& choice) {
  Columns columns;
  columns.text = find_column(table.header, choice.text, kTextNames);
  columns.pair = find_column(table.header, choice.pair, kPairNames);
  columns.label = find_column(table.header, choice.label, kLabelNames);
  if (columns.pair == columns.text) columns.pair = -1;
  return columns;
}

void check_columns(const Columns& columns, const ColumnChoice& choice, const Table& table,
                   const std::string& path) {
  const auto check = [&](const std::string& chosen, int64_t found, const char* option) {
    if (found < 0 && !chosen.empty()) fail("{}: no column \"{}\" (--{})", path, chosen, option);
  };
  check(choice.text, columns.text, "text-column");
  check(choice.pair, columns.pair, "pair-column");
  check(choice.label, columns.label, "label-column");
  if (columns.text >= 0) return;
  fail(
      "{}: no known column of texts among {}; name it with --text-column, or give its number if "
      "the file has no header",
      path, table.header.empty() ? "none" : join(table.header, ", "));
}

/// The field of a column, or nothing where the row or the file has none.
std::optional<std::string_view> field(const TableRow& row, int64_t column) {
  if (column < 0 || column >= std::ssize(row.fields)) return std::nullopt;
  const std::string_view text = row.fields[static_cast<size_t>(column)];
  return text.data() == nullptr ? std::nullopt : std::optional(text);
}

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first));
}

void take_rows(const Table& table, const Columns& columns, LabelledTexts& result) {
  for (const TableRow& row : table.rows) {
    const auto text = field(row, columns.text);
    const auto pair = field(row, columns.pair);
    if (!text || (result.pairs && !pair)) {
      result.problems.add("row without a text, left out", table.place(row));
      continue;
    }
    result.rows.push_back({.text = std::string(*text),
                           .pair = std::string(pair.value_or("")),
                           .label = trimmed(field(row, columns.label).value_or("")),
                           .row = row.number,
                           .place = table.place(row)});
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
    columns = kCola;
  } else {
    columns = named_columns(table, choice);
  }
  check_columns(columns, choice, table, path);
  LabelledTexts result;
  result.path = path;
  result.pairs = columns.pair >= 0;
  result.labelled = columns.label >= 0;
  result.problems = std::move(table.problems);
  result.notes = std::move(table.notes);
  take_rows(table, columns, result);
  if (result.rows.empty()) {
    fail("{}: no row with a text{}", path,
         result.problems.empty() ? "" : "; " + join(result.problems.lines(), "; "));
  }
  return result;
}

LabelledTexts read_labelled_texts(const std::string& path, const ColumnChoice& columns) {
  const io::TextFile file(path);
  return parse_labelled_texts(file.text(), path, columns);
}

void LabelledTexts::keep_labelled() {
  if (!labelled) fail("{}: no column of labels; name it with --label-column", path);
  const bool has_plus = std::any_of(rows.begin(), rows.end(),
                                    [](const LabelledText& row) { return row.label == "+"; });
  std::erase_if(rows, [&](const LabelledText& row) {
    if (row.label.empty()) problems.add("row without a label, left out", row.place);
    const bool undecided = row.label == "-" && !has_plus;
    if (undecided) problems.add("row labelled \"-\", no agreement, left out", row.place);
    return row.label.empty() || undecided;
  });
  if (rows.empty()) fail("{}: no row with a label", path);
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
