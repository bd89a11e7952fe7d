#pragma once

// Files of labelled words. CoNLL: a word a line, blank lines between sentences, columns between
// tabs or blanks; the word is the first and the label the last (CoNLL-2000, CoNLL-2003, WNUT,
// MultiCoNER), or they are the second and the third where the first numbers the words (Universal
// NER, GermEval). JSON lines: an object a sentence with a list of words and a list of labels, as
// run_ner.py of transformers reads them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/problems.h"

namespace bertha::tasks {

/// Numbers of columns from 1, or keys of JSON. Empty: as above; in JSON the first of "tokens" and
/// "words", and of "ner_tags", "tags" and "labels".
struct TagColumns {
  std::string word;
  std::string label;
};

enum class TagFormat : uint8_t { kConll, kJsonLines };

struct TaggedSentence {
  std::vector<std::string> words{};
  std::vector<std::string> labels{};  ///< one a word; empty where the file has no labels
  std::vector<int64_t> lines{};       ///< of each word in a CoNLL file, or one of JSON; from 1
};

struct TaggedFile {
  std::string path;
  TagFormat format = TagFormat::kConll;
  char separator = ' ';   ///< of columns
  bool labelled = false;  ///< the file has labels
  bool numbered = false;  ///< the labels are numbers of JSON
  std::vector<TaggedSentence> sentences;
  std::vector<std::string> notes;  ///< what was found by look, for the log
  Problems problems;               ///< of labels that are kept

  int64_t words() const;
  /// Throws Error when the file has no labels.
  void require_labels() const;
  /// Replaces numbers by the names that have these places in the list, from 0. Throws Error with
  /// the place of a number that is none of them.
  void name_labels(std::span<const std::string> names);
  /// The distinct labels, sorted.
  std::vector<std::string> label_names() const;
};

/// Parses UTF-8 text. Throws Error that names `path` and the line for a row with more or fewer
/// columns than the first one, an empty field, a list of labels of another length than that of
/// words, and for a file without words.
TaggedFile parse_tagged(std::string_view contents, const std::string& path,
                        const TagColumns& columns);

/// The text of `file` with a column more, the labels in `predicted`, one list a sentence; in JSON
/// lines with the key "predicted_tags". Everything else stays.
std::string with_labels(std::string_view contents, const TaggedFile& file,
                        std::span<const std::vector<std::string>> predicted);

}  // namespace bertha::tasks
