#pragma once

// Sentence classification files: tables (table/table_reader.h) with a column of texts, perhaps one
// of second texts, and one of labels. The columns of the GLUE benchmark's tasks (Wang et al. 2019)
// are known by their names, as the tasks are published.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ragged_batch.h"
#include "tasks/problems.h"
#include "text/model_input.h"
#include "text/tokenizer.h"

namespace bertha::tasks {

/// The columns to read: names from the header, or numbers from 1 in a TSV or CSV file without one.
/// Empty: the column names of GLUE's tasks and common ones ("text", "label"). The case of letters
/// decides only where two columns differ in nothing else.
struct ColumnChoice {
  std::string text{};
  std::string pair{};   ///< second text; empty for tasks with one text
  std::string label{};  ///< may be absent, for a file to predict. Several names with commas between
                        ///< them: a column of 0 or 1 for each of several labels
  /// What separates several labels in a field. Nothing: a field is one label.
  std::optional<std::string> separator{};
};

struct LabelledText {
  std::string text{};
  std::string pair{};
  std::string label{};  ///< without blanks around it; empty: no label
  /// The several labels of a text, perhaps none: of a list in JSON, of a field with separators, or
  /// of columns of 0 and 1.
  std::optional<std::vector<std::string>> labels{};
  int64_t row = 0;      ///< number of the row in the file, from 0
  std::string place{};  ///< "line 7"
};

struct LabelledTexts {
  std::string path;
  bool pairs = false;
  bool labelled = false;
  std::vector<std::string> label_columns;  ///< one for each of several labels; else empty
  std::vector<LabelledText> rows;
  /// The second text of a row of this file; nothing in a file of single texts.
  std::optional<std::string_view> pair_of(const LabelledText& row) const {
    return pairs ? std::optional<std::string_view>(row.pair) : std::nullopt;
  }
  /// Removes rows without a label, also those with a name of a missing value ("NaN", "None"), and
  /// rows labelled "-", SNLI's mark for no agreement, unless "+" is a label too. The problems count
  /// them. Throws Error when no row is left, when the file has no column of labels, and for a row
  /// that has a label twice.
  void keep_labelled();

  /// For a model with one label for each text: takes it out of lists of one, and removes rows with
  /// other lists, which the problems count. Throws Error when no row is left.
  void keep_single_labels();

  Problems problems;               ///< rows that were left out
  std::vector<std::string> notes;  ///< what was found by look, for the log
};

/// Throws Error that names the file when it is not UTF-8 (io/text_file.h), has no rows or lacks a
/// column.
LabelledTexts read_labelled_texts(const std::string& path, const ColumnChoice& columns);
LabelledTexts parse_labelled_texts(std::string_view contents, const std::string& path,
                                   const ColumnChoice& columns);

/// The input of a classifier for a text, or two, with special tokens. If two texts are too long
/// together, tokens are removed from the end of the longer one until both fit, or as the
/// tokenizer's files say. `cut_left` goes before the side that they name. Throws Error when no
/// token remains.
text::ModelInput classifier_input(std::string_view text, std::optional<std::string_view> pair,
                                  const text::Tokenizer& tokenizer, int64_t max_tokens,
                                  std::optional<bool> cut_left = std::nullopt);
/// Appends it as a sequence.
void append_text(std::string_view text, std::optional<std::string_view> pair,
                 const text::Tokenizer& tokenizer, int64_t max_tokens, RaggedBatch& batch);

}  // namespace bertha::tasks
