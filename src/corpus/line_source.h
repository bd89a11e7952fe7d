#pragma once

// A source of articles or books, one line each, as the format stage would write them to a file.

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bertha::corpus {

class LineSource {
 public:
  /// Makes the next lines. The caller runs it once, on any thread.
  using Job = std::function<std::vector<std::string>()>;

  LineSource() = default;
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  virtual ~LineSource() = default;

  /// Returns nothing at the end. Jobs must not outlive the source.
  virtual std::optional<Job> next() = 0;
  /// Says why the source ended early, when that is allowed; else empty.
  virtual std::string damage() const { return {}; }
};

}  // namespace bertha::corpus
