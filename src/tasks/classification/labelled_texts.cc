#include "tasks/classification/labelled_texts.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.h"
#include "io/atomic_file.h"
#include "text/model_input.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {
namespace {

using Fields = std::vector<std::string_view>;

constexpr std::array<std::string_view, 5> kTextNames = {"sentence1", "question1", "question",
                                                        "premise", "sentence"};
constexpr std::array<std::string_view, 5> kPairNames = {"sentence2", "question2", "sentence",
                                                        "hypothesis", "#2 String"};
constexpr std::array<std::string_view, 5> kLabelNames = {"label", "gold_label", "is_duplicate",
                                                         "Quality", "score"};

Fields split_tabs(std::string_view line) {
  Fields fields;
  for (size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
    fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.push_back(line);
  return fields;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Index of the column, or -1 when it is absent. Tries `names` when no column was chosen.
int64_t find_column(const Fields& header, const std::string& chosen,
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
  bool header = true;  ///< the first line has column names
};

Columns find_columns(const Fields& header, const ColumnChoice& choice, const std::string& path) {
  Columns columns;
  if (column_number(choice.text) >= 0) {
    columns = {column_number(choice.text), column_number(choice.pair), column_number(choice.label),
               false};
  } else {
    columns.text = find_column(header, choice.text, kTextNames);
    columns.pair = find_column(header, choice.pair, kPairNames);
    columns.label = find_column(header, choice.label, kLabelNames);
    if (columns.pair == columns.text) columns.pair = -1;
  }
  const auto check = [&](const std::string& chosen, int64_t found, const char* option) {
    if (found < 0 && !chosen.empty()) fail("{}: no column \"{}\" (--{})", path, chosen, option);
  };
  check(choice.text, columns.text, "text_column");
  check(choice.pair, columns.pair, "pair_column");
  check(choice.label, columns.label, "label_column");
  if (columns.text < 0) {
    fail(
        "{}: the first line has no known column of texts; name or number it with "
        "--text_column",
        path);
  }
  return columns;
}

/// Cuts the longer of the two, token by token, until both fit.
void truncate_pair(std::vector<int32_t>& a, std::vector<int32_t>& b, int64_t room) {
  while (std::ssize(a) + std::ssize(b) > room) (a.size() > b.size() ? a : b).pop_back();
}

/// The input of a text, or two. The recipe's way to cut pairs holds where the tokenizer's files say
/// nothing about it.
text::ModelInput cut_input(std::string_view text, std::optional<std::string_view> pair,
                           const text::Tokenizer& tokenizer, int64_t max_tokens) {
  const text::TokenizerSettings& settings = tokenizer.settings();
  const int64_t room = max_tokens - settings.sequence.special_tokens(pair.has_value());
  if (room < 0) fail("the tokenizer adds more special tokens than the {} of a row", max_tokens);
  if (settings.truncation || settings.truncate_left) {
    return text::model_input(tokenizer, text, pair, max_tokens);
  }
  text::EncodedText first;
  text::EncodedText second;
  tokenizer.encode(text, first.ids);
  if (pair) tokenizer.encode(*pair, second.ids);
  truncate_pair(first.ids, second.ids, room);
  return text::with_special_tokens(tokenizer, first, pair ? &second : nullptr);
}

}  // namespace

LabelledTexts parse_labelled_texts(std::string_view contents, const std::string& path,
                                   const ColumnChoice& choice) {
  LabelledTexts result;
  result.path = path;
  if (contents.starts_with("\xEF\xBB\xBF")) contents.remove_prefix(3);
  std::string_view rest = contents;
  const Columns columns = find_columns(split_tabs(take_line(rest)), choice, path);
  if (!columns.header) rest = contents;
  result.pairs = columns.pair >= 0;
  result.labelled = columns.label >= 0;
  const int64_t needed = std::max({columns.text, columns.pair, columns.label}) + 1;
  for (int64_t line = columns.header ? 2 : 1; !rest.empty(); ++line) {
    const std::string_view text = take_line(rest);
    if (text.empty()) continue;
    const Fields fields = split_tabs(text);
    if (std::ssize(fields) < needed) {
      result.problems.add("row with too few columns, skipped", fmt::format("line {}", line));
      continue;
    }
    const auto field = [&](int64_t column) {
      return column < 0 ? std::string() : std::string(fields[static_cast<size_t>(column)]);
    };
    result.rows.push_back({field(columns.text), field(columns.pair), field(columns.label)});
  }
  if (result.rows.empty()) fail("{}: no row of {} columns", path, needed);
  return result;
}

LabelledTexts read_labelled_texts(const std::string& path, const ColumnChoice& columns) {
  const io::MappedFile file(path);
  return parse_labelled_texts(file.text(), path, columns);
}

void append_text(std::string_view text, std::optional<std::string_view> pair,
                 const text::Tokenizer& tokenizer, int64_t max_tokens, RaggedBatch& batch) {
  const text::ModelInput input = cut_input(text, pair, tokenizer, max_tokens);
  if (input.ids.empty()) fail("the text \"{}\" has no token", text);
  const int64_t begin = batch.tokens();
  batch.ids.insert(batch.ids.end(), input.ids.begin(), input.ids.end());
  batch.segments.insert(batch.segments.end(), input.segments.begin(), input.segments.end());
  for (int32_t i = 0; i < batch.tokens() - begin; ++i) batch.positions.push_back(i);
  batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
}

}  // namespace bertha::tasks
