#include "io/archive/byte_source.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"
#include "io/archive/bzip2_source.h"
#include "io/archive/multistream.h"
#include "io/atomic_file.h"

namespace bertha::io {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(std::string_view bytes) : rest_(bytes) {}

  std::string_view next() override {
    const std::string_view chunk = rest_.substr(0, kChunkBytes);
    rest_.remove_prefix(chunk.size());
    read_bytes_ += std::ssize(chunk);
    return chunk;
  }

 private:
  std::string_view rest_;
};

/// Gzip files (RFC 1952) with any number of members end to end.
class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::string_view bytes) : rest_(bytes), size_(bytes.size()) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) fail("gzip: out of memory");
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() override { inflateEnd(&stream_); }

  std::string_view next() override {
    if (finished_) return {};
    stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
    stream_.avail_out = static_cast<uInt>(out_.size());
    while (stream_.avail_out > 0 && !finished_) step();
    read_bytes_ = static_cast<int64_t>(size_ - rest_.size());
    return {out_.data(), out_.size() - stream_.avail_out};
  }

 private:
  void step() {
    const std::string_view chunk = rest_.substr(0, kChunkBytes);
    // zlib declares its input as non-const but does not write to it.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(chunk.data()));
    stream_.avail_in = static_cast<uInt>(chunk.size());
    const uInt available = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    const size_t taken = chunk.size() - stream_.avail_in;
    rest_.remove_prefix(taken);
    if (status == Z_STREAM_END) {
      // Data after the last member that is not a member is padding; gzip treats it the same way.
      finished_ = !rest_.starts_with("\x1f\x8b");
      inflateReset(&stream_);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      stop(fmt::format("damaged gzip data at byte {}", size_ - rest_.size()));
    } else if (taken == 0 && available == stream_.avail_out) {
      stop(fmt::format("the gzip data is cut off at byte {}", size_));
    }
  }
  void stop(std::string why) {
    damage_ = std::move(why);
    finished_ = true;
  }

  std::string_view rest_;
  size_t size_;
  z_stream stream_{};
  bool finished_ = false;
  std::array<char, kChunkBytes> out_{};
};

/// A source together with the file that it reads.
class FileSource : public ByteSource {
 public:
  FileSource(const std::string& path, int64_t threads, std::vector<int64_t> streams)
      : file_(path),
        source_(streams.empty() ? open_memory(file_.text(), path, threads)
                                : open_multistream(file_.text(), std::move(streams), threads)) {
    size_bytes_ = file_.size_bytes();
  }

  std::string_view next() override {
    const std::string_view bytes = source_->next();
    damage_ = source_->damage();
    read_bytes_ = source_->read_bytes();
    return bytes;
  }

 private:
  io::MappedFile file_;
  std::unique_ptr<ByteSource> source_;
};

}  // namespace

std::unique_ptr<ByteSource> open_memory(std::string_view bytes, const std::string& name,
                                        int64_t threads) {
  if (bytes.empty()) fail("{}: the file is empty", name);
  if (bytes.starts_with("BZh")) return open_bzip2(bytes, threads);
  if (bytes.starts_with("\x1f\x8b")) return std::make_unique<GzipSource>(bytes);
  return std::make_unique<PlainSource>(bytes);
}

std::unique_ptr<ByteSource> open_source(const std::string& path, int64_t threads,
                                        std::vector<int64_t> streams) {
  return std::make_unique<FileSource>(path, threads, std::move(streams));
}

}  // namespace bertha::io
