#include "io/archive/byte_source.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "io/archive/bzip2_source.h"
#include "io/archive/decoded_source.h"
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
  return decode(std::make_unique<PlainSource>(bytes), name.c_str());
}

std::unique_ptr<ByteSource> open_source(const std::string& path, int64_t threads,
                                        std::vector<int64_t> streams) {
  if (path == kStandardInput) return decode(open_descriptor(STDIN_FILENO), "standard input");
  return std::make_unique<FileSource>(path, threads, std::move(streams));
}

}  // namespace bertha::io
