#pragma once

// Sentence classification files: tab separated, as the GLUE benchmark keeps its tasks (Wang et al.
// 2019). Columns are found by the names of the first line.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ragged_batch.h"
#include "tasks/problems.h"
#include "text/tokenizer.h"

namespace bertha::tasks {

/// Which columns are read: names of the first line, or numbers from 1 in a file without such a
/// line. Empty: the names that GLUE's tasks have.
struct ColumnChoice {
  std::string text;
  std::string pair;   ///< second text; tasks of one text have none
  std::string label;  ///< may be absent: a file to be predicted
};

struct LabelledText {
  std::string text;
  std::string pair;
  std::string label;  ///< empty: none
};

struct LabelledTexts {
  std::string path;
  bool pairs = false;
  bool labelled = false;
  std::vector<LabelledText> rows;
  /// The second text of a row of this file; none in a file of single texts.
  std::optional<std::string_view> pair_of(const LabelledText& row) const {
    return pairs ? std::optional<std::string_view>(row.pair) : std::nullopt;
  }
  Problems problems;  ///< rows with too few columns, left out
};

/// Throws Error naming the file when it has no rows or not the columns.
LabelledTexts read_labelled_texts(const std::string& path, const ColumnChoice& columns);
LabelledTexts parse_labelled_texts(std::string_view contents, const std::string& path,
                                   const ColumnChoice& columns);

/// Appends [CLS] text [SEP] (pair [SEP]) as a sequence; of two texts that are too long together the
/// longer loses its end, token by token.
void append_text(std::string_view text, std::optional<std::string_view> pair,
                 const text::Tokenizer& tokenizer, int64_t max_tokens, RaggedBatch& batch);

}  // namespace bertha::tasks
