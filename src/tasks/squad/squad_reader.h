#pragma once

// Files of the Stanford Question Answering Dataset (Rajpurkar et al. 2016, 2018): articles with
// paragraphs and questions. An entry without a required field is skipped, counted and reported; a
// file that is not a SQuAD file is an error.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/problems.h"

namespace bertha::tasks {

struct SquadAnswer {
  std::string text;
  int64_t start = -1;  ///< in code points of the context; -1: not in the file
};

struct SquadQuestion {
  std::string id;
  std::string text;
  int64_t paragraph = 0;    ///< index into contexts
  bool impossible = false;  ///< version 2: the passage has no answer
  std::vector<SquadAnswer> answers;
};

struct SquadFile {
  std::string path;
  std::string version;  ///< from the file: "1.1", "v2.0"
  std::vector<std::string> contexts;
  std::vector<SquadQuestion> questions;  ///< in file order
  Problems problems;

  /// True when the file states version 2 or has a question without an answer.
  bool version_2() const;
};

/// Reads a file. Invalid UTF-8 becomes U+FFFD and is counted. Throws Error that names the file and
/// the byte where it is not JSON, or the missing part of its outer structure.
SquadFile read_squad(const std::string& path);
/// The same from memory. Messages use `path` as the file name.
SquadFile parse_squad(std::string_view contents, const std::string& path);

}  // namespace bertha::tasks
