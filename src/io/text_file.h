#pragma once

// The one door for text that users give: UTF-8, plain or compressed with gzip or bzip2, with or
// without byte order mark. Anything else is refused with one line that names the byte or says what
// the file is: UTF-16, binary data, a Git LFS pointer.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/atomic_file.h"

namespace bertha::io {

/// A text in memory as a whole: mapped where the file is plain, unpacked where it is compressed,
/// read to the end where it is a pipe or standard input ("-").
class TextFile {
 public:
  enum class Check : uint8_t {
    kNow,
    kLater  ///< the caller checks parts with require_utf8(), on several threads or not at all
  };

  /// Throws Error when the file cannot be read, is damaged, or is no text.
  explicit TextFile(const std::string& path, Check check = Check::kNow);

  const std::string& path() const { return path_; }
  /// The text without byte order mark.
  std::string_view text() const { return text_; }
  /// Throws Error that names the first byte of `part`, a part of text(), that is not UTF-8.
  void require_utf8(std::string_view part) const;

 private:
  std::string path_;  ///< for messages
  std::optional<MappedFile> file_;
  std::unique_ptr<const std::string> owned_;  ///< of a compressed file or a stream
  std::string_view all_;                      ///< the text with a byte order mark
  std::string_view text_;                     ///< without
};

/// The same in blocks of whole lines, for files larger than the memory and for pipes.
class TextBlocks {
 public:
  /// Blocks have about `block_bytes`; "-" is standard input. Throws Error as TextFile does.
  TextBlocks(const std::string& path, size_t block_bytes);
  ~TextBlocks();

  /// The next whole lines, or the last line without an end; nothing after that. Valid until the
  /// next call. Throws Error for bytes that are not UTF-8 and for a line of over 1 GiB.
  std::string_view next();

 private:
  struct Source;  // io/archive/byte_source.h, whose name collides with one of io/weights
  bool fill();
  std::string_view check(std::string_view block);

  std::string path_;
  size_t block_bytes_;
  std::unique_ptr<Source> source_;
  std::string buffer_;
  size_t used_ = 0;         ///< bytes of buffer_ that earlier calls returned
  bool ended_ = false;      ///< the source has no more
  std::string head_;        ///< the first bytes of the text, for messages
  int64_t bytes_done_ = 0;  ///< of the text, before the block
  int64_t lines_done_ = 0;
};

/// Throws Error that names the byte if `line`, line number `number` of a text from elsewhere, is
/// not UTF-8.
void require_utf8_line(std::string_view line, const std::string& path, int64_t number);

}  // namespace bertha::io
