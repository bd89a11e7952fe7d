#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::tasks {

/// What was wrong with single entries of a file that was read all the same: each kind is counted,
/// and the first place of it named.
class Problems {
 public:
  /// `kind` in the singular, as "question without an id"; `place` as "data[0].paragraphs[2]".
  void add(const std::string& kind, const std::string& place, int64_t count = 1);
  /// Adds what another part of the same file had.
  void add_all(const Problems& others);

  int64_t total() const;
  bool empty() const { return kinds_.empty(); }
  /// A line a kind: "question without an id: 3, the first at data[0].paragraphs[2].qas[1]".
  std::vector<std::string> lines() const;

 private:
  struct Kind {
    std::string name;
    std::string first_place;
    int64_t count = 0;
  };
  std::vector<Kind> kinds_;
};

}  // namespace bertha::tasks
