#pragma once

// The lines of a text in memory, with their numbers.

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace bertha::tasks {

class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}

  /// Moves to the next line; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    return true;
  }
  /// The line without white space at its end.
  std::string_view line() const {
    const size_t last = line_.find_last_not_of(" \t\r\f\v");
    return line_.substr(0, last == line_.npos ? 0 : last + 1);
  }
  int64_t number() const { return number_; }  ///< from 1

 private:
  std::string_view rest_;
  std::string_view line_;
  int64_t number_ = 0;
};

}  // namespace bertha::tasks
