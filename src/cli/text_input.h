#pragma once

// Texts in from files and pipes, and JSON lines out, for the commands that answer for each text.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/text_file.h"

namespace bertha::cli {

using OrderedJson = nlohmann::ordered_json;

/// A text, and the JSON object that it came in: null for a line of plain text or a JSON string.
struct TextRecord {
  std::string text{};
  OrderedJson fields{};
  int64_t line = 0;  ///< of its file, from 1
};

/// Reads texts from a file or from standard input ("-"), one on each line. Lines of a .jsonl file,
/// and of standard input whose first line is one, are JSON strings, or objects that contain the
/// text; empty lines of them are passed over.
class TextReader {
 public:
  /// `key` is the key of the text in a JSON object. Throws Error when the file cannot be opened or
  /// is a JSON document.
  TextReader(const std::string& path, std::string key);

  /// The next texts, at most `most`; empty at the end. Throws Error naming a line that is wrong.
  std::vector<TextRecord> next(size_t most);

 private:
  bool next_line(std::string_view& line);
  void refuse_document() const;
  bool begins_with_object() const;
  TextRecord record_of(std::string_view line) const;

  std::string path_;  ///< for messages
  std::string key_;
  io::TextBlocks blocks_;
  std::string_view rest_;  ///< of the block
  bool json_ = false;
  int64_t line_ = 0;
};

/// The fields that came with a text, or the text under `key`; results are added to it.
OrderedJson fields_of(const TextRecord& record, std::string_view key);

/// Prints one line. Bytes that are not UTF-8 become U+FFFD. Throws Error when standard output takes
/// no more.
void print_json(const OrderedJson& line);
/// Prints what is buffered, so that a program behind a pipe gets it.
void flush_output();

}  // namespace bertha::cli
