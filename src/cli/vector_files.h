#pragma once

// The vectors of `bertha embed` as files.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cli/text_input.h"

namespace bertha::cli {

/// Writes vectors of one size.
class VectorWriter {
 public:
  VectorWriter() = default;
  VectorWriter(const VectorWriter&) = delete;
  VectorWriter& operator=(const VectorWriter&) = delete;
  virtual ~VectorWriter() = default;
  /// `record` is the text of the vector.
  virtual void write(std::span<const float> vector, const TextRecord& record) = 0;
  /// Publishes the file. Without this call an existing file stays unchanged.
  virtual void finish() = 0;
};

/// Writes `path` ("-": standard output) in `format`: jsonl, npy, or empty for the one that the name
/// implies. With `text_key` each line is the object that the text came in, or one with the text
/// under this key, and the vector under "embedding". Throws Error for another format.
std::unique_ptr<VectorWriter> open_vectors(const std::string& path, const std::string& format,
                                           int64_t size, std::optional<std::string> text_key);

}  // namespace bertha::cli
