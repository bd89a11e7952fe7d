#pragma once

// The bytes of a file, decompressed: plain, gzip or bzip2, told apart by their first bytes. Memory
// does not grow with the file.

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

  /// The next bytes, empty at the end. They stay valid until the next call.
  virtual std::string_view next() = 0;
  /// Why the bytes ended before the file was whole ("cut off …", "damaged …"); empty when they did
  /// not. What was handed out before is sound.
  const std::string& damage() const { return damage_; }
  /// Bytes of the file that are read, of all it has. The size is 0 where there is no file.
  int64_t read_bytes() const { return read_bytes_; }
  int64_t size_bytes() const { return size_bytes_; }

 protected:
  std::string damage_;
  int64_t read_bytes_ = 0;
  int64_t size_bytes_ = 0;
};

/// Opens `path`. `threads` decompress a bzip2 file, whose blocks need not be of several streams;
/// the bytes are the same for any number. `streams` (multistream.h) say where the streams of a
/// multistream file begin, which spares the search for its blocks; empty where that is not known.
/// Throws Error when the file cannot be read or is empty.
std::unique_ptr<ByteSource> open_source(const std::string& path, int64_t threads,
                                        std::vector<int64_t> streams = {});

/// The same for bytes in memory that outlive the source; `name` stands for the file in messages.
std::unique_ptr<ByteSource> open_memory(std::string_view bytes, const std::string& name,
                                        int64_t threads);

}  // namespace bertha::io
