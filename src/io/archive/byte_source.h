#pragma once

// The decompressed bytes of a plain, gzip, bzip2, xz or zstd file; the first bytes of the file show
// its format. Memory does not grow with the file.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::io {

class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  /// The next bytes, or nothing at the end. They stay valid until the next call.
  virtual std::string_view next() = 0;
  /// Why the bytes ended before the end of the file ("cut off …", "damaged …"), or empty. All bytes
  /// that next() returned are correct.
  const std::string& damage() const { return damage_; }
  /// Bytes of the file read so far.
  int64_t read_bytes() const { return read_bytes_; }
  /// Size of the file, or 0 when there is no file.
  int64_t size_bytes() const { return size_bytes_; }

 protected:
  std::string damage_;
  int64_t read_bytes_ = 0;
  int64_t size_bytes_ = 0;
};

/// Names standard input where a path is expected.
inline constexpr std::string_view kStandardInput = "-";

/// Opens `path`, or standard input for "-". `threads` threads decompress a bzip2 file, even if it
/// has only one stream; the bytes do not depend on their number. `streams` (multistream.h) holds
/// the byte offsets where the streams of a multistream file begin, which avoids the search for
/// blocks; it is empty when they are unknown. Throws Error when the file cannot be read, is empty,
/// or is an archive that is not read (7z, zip, …).
std::unique_ptr<ByteSource> open_source(const std::string& path, int64_t threads,
                                        std::vector<int64_t> streams = {});

/// The same for bytes in memory, which must outlive the source. Messages use `name` as the file
/// name.
std::unique_ptr<ByteSource> open_memory(std::string_view bytes, const std::string& name,
                                        int64_t threads);

}  // namespace bertha::io
