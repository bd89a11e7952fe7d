#pragma once

// Articles or books one after the other, each the line that the format stage would write, without
// a file between.

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bertha::corpus {

class LineSource {
 public:
  /// Makes the next lines. Runs once, on any thread.
  using Job = std::function<std::vector<std::string>()>;

  LineSource() = default;
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  virtual ~LineSource() = default;

  /// Nothing at the end. Jobs must not outlive the source.
  virtual std::optional<Job> next() = 0;
  /// Why the source ended before it was whole, where that was allowed; else empty.
  virtual std::string damage() const { return {}; }
};

}  // namespace bertha::corpus
