#pragma once

// The files of `bertha embed`: texts in, vectors out.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/text_file.h"

namespace bertha::cli {

/// Reads texts from a file or from standard input ("-"), one on each line. A line of a .jsonl file
/// is a JSON string, or an object that contains the text; empty lines of it are passed over.
class TextReader {
 public:
  /// `key` is the key of the text in a JSONL object. Throws Error when the file cannot be opened or
  /// is a JSON document.
  TextReader(const std::string& path, std::string key);

  /// The next texts, at most `most`; empty at the end. Throws Error naming a line that is wrong.
  std::vector<std::string> next(size_t most);

 private:
  bool next_line(std::string& line);
  void refuse_document() const;
  std::string text_of(const std::string& line) const;

  std::string path_;
  std::string key_;
  std::unique_ptr<io::TextBlocks> file_;  ///< null: standard input
  std::string_view rest_;                 ///< of the block, for files
  bool json_ = false;
  int64_t line_ = 0;
};

/// Writes vectors of one size.
class VectorWriter {
 public:
  VectorWriter() = default;
  VectorWriter(const VectorWriter&) = delete;
  VectorWriter& operator=(const VectorWriter&) = delete;
  virtual ~VectorWriter() = default;
  virtual void write(std::span<const float> vector) = 0;
  /// Publishes the file. Without this call an existing file stays unchanged.
  virtual void finish() = 0;
};

/// Writes `path` ("-": standard output) in `format`: jsonl, npy, or empty for the one that the name
/// implies. Throws Error for another format.
std::unique_ptr<VectorWriter> open_vectors(const std::string& path, const std::string& format,
                                           int64_t size);

}  // namespace bertha::cli
