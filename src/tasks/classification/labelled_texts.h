#pragma once

// Sentence classification files: tab-separated, in the format of the GLUE benchmark's tasks (Wang
// et al. 2019). The first line names the columns.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ragged_batch.h"
#include "tasks/problems.h"
#include "text/tokenizer.h"

namespace bertha::tasks {

/// The columns to read: names from the first line, or numbers from 1 in a file without such a line.
/// Empty: the column names of GLUE's tasks.
struct ColumnChoice {
  std::string text;
  std::string pair;   ///< second text; empty for tasks with one text
  std::string label;  ///< may be absent, for a file to predict
};

struct LabelledText {
  std::string text;
  std::string pair;
  std::string label;  ///< empty: no label
};

struct LabelledTexts {
  std::string path;
  bool pairs = false;
  bool labelled = false;
  std::vector<LabelledText> rows;
  /// The second text of a row of this file; nothing in a file of single texts.
  std::optional<std::string_view> pair_of(const LabelledText& row) const {
    return pairs ? std::optional<std::string_view>(row.pair) : std::nullopt;
  }
  Problems problems;  ///< rows with too few columns, which are skipped
};

/// Throws Error that names the file when it has no rows or lacks a column.
LabelledTexts read_labelled_texts(const std::string& path, const ColumnChoice& columns);
LabelledTexts parse_labelled_texts(std::string_view contents, const std::string& path,
                                   const ColumnChoice& columns);

/// Appends a text, or two, with special tokens as a sequence. If two texts are too long together,
/// tokens are removed from the end of the longer one until both fit, or as the tokenizer's files
/// say. Throws Error when no token remains.
void append_text(std::string_view text, std::optional<std::string_view> pair,
                 const text::Tokenizer& tokenizer, int64_t max_tokens, RaggedBatch& batch);

}  // namespace bertha::tasks
