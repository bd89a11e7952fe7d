#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::tasks {

/// Problems with single entries of a file that is read nevertheless. Each kind is counted, and its
/// first place is recorded.
class Problems {
 public:
  /// `kind` in the singular, for example "question without an id"; `place` as
  /// "data[0].paragraphs[2]".
  void add(const std::string& kind, const std::string& place, int64_t count = 1);
  /// Adds the problems of another part of the same file.
  void add_all(const Problems& others);

  int64_t total() const;
  bool empty() const { return kinds_.empty(); }
  /// One line per kind: "question without an id: 3, the first at data[0].paragraphs[2].qas[1]".
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
