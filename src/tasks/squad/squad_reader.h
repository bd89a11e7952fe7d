#pragma once

// Files of the Stanford Question Answering Dataset (Rajpurkar et al. 2016, 2018): articles of
// paragraphs of questions. An entry that lacks a field is left out, counted and named; what is no
// SQuAD file at all is an error.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/problems.h"

namespace bertha::tasks {

struct SquadAnswer {
  std::string text;
  int64_t start = -1;  ///< in code points of the context; -1: the file does not say
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
  std::string version;  ///< as the file says: "1.1", "v2.0"
  std::vector<std::string> contexts;
  std::vector<SquadQuestion> questions;  ///< in file order
  Problems problems;

  /// True where the file says that it is of version 2, or has a question without an answer.
  bool version_2() const;
};

/// Reads a file. Bytes that are not UTF-8 become U+FFFD and are counted. Throws Error naming the
/// file, and the byte where it is not JSON, or what is missing of its outer form.
SquadFile read_squad(const std::string& path);
/// The same from memory; `path` stands in messages.
SquadFile parse_squad(std::string_view contents, const std::string& path);

}  // namespace bertha::tasks
