#include "io/archive/decoded_source.h"

#include <bzlib.h>
#include <lzma.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"

namespace bertha::io {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;
/// xz -9 needs 65 MB. zstd --ultra --long=31, of 2 GB, is refused by its own limit of 128 MB.
constexpr uint64_t kMaxXzMemory = uint64_t{1} << 30;

using namespace std::string_view_literals;

/// The bytes that begin a file, and the name of the format.
struct Mark {
  std::string_view bytes;
  const char* name;
};

constexpr std::array kCompressed = {Mark{"\x1f\x8b"sv, "gzip"}, Mark{"BZh"sv, "bzip2"},
                                    Mark{"\xfd"
                                         "7zXZ\0"sv,
                                         "xz"},
                                    Mark{"\x28\xb5\x2f\xfd"sv, "zstd"}};

constexpr std::array kRefused = {
    Mark{"7z\xbc\xaf\x27\x1c"sv, "a 7z archive: 7z x -so"},
    Mark{"PK\x03\x04"sv, "a zip archive: unzip -p"},
    Mark{"LZIP"sv, "an lzip file: lzip -dc"},
    Mark{"\x04\x22\x4d\x18"sv, "an lz4 file: lz4 -dc"},
    Mark{"Rar!"sv, "a RAR archive: unrar p -inul"},
};

template <size_t n>
const Mark* find_mark(const std::array<Mark, n>& marks, std::string_view bytes) {
  const auto* const found =
      std::ranges::find_if(marks, [&](const Mark& mark) { return bytes.starts_with(mark.bytes); });
  return found == marks.end() ? nullptr : found;
}

enum class Step { kMore, kStreamEnd, kDamaged };

/// A decompressor: takes bytes from the front of `in` and moves `out` past what it has written.
class Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;
  virtual Step step(std::string_view& in, char*& out, char* end, bool input_ended) = 0;
  /// Prepares for a further stream.
  virtual void restart() = 0;
};

unsigned size_for(size_t bytes) {
  return static_cast<unsigned>(std::min<size_t>(bytes, kChunkBytes));
}

class GzipCodec : public Codec {
 public:
  GzipCodec() {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) fail("gzip: out of memory");
  }
  ~GzipCodec() override { inflateEnd(&stream_); }
  Step step(std::string_view& in, char*& out, char* end, bool) override {
    // zlib declares its input as non-const but does not write to it.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = size_for(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = size_for(static_cast<size_t>(end - out));
    const int status = inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(static_cast<size_t>(reinterpret_cast<char*>(stream_.next_in) - in.data()));
    out = reinterpret_cast<char*>(stream_.next_out);
    if (status == Z_STREAM_END) return Step::kStreamEnd;
    return status == Z_OK || status == Z_BUF_ERROR ? Step::kMore : Step::kDamaged;
  }
  void restart() override { inflateReset(&stream_); }

 private:
  z_stream stream_{};
};

class Bzip2Codec : public Codec {
 public:
  Bzip2Codec() { begin(); }
  ~Bzip2Codec() override { BZ2_bzDecompressEnd(&stream_); }
  Step step(std::string_view& in, char*& out, char* end, bool) override {
    stream_.next_in = const_cast<char*>(in.data());
    stream_.avail_in = size_for(in.size());
    stream_.next_out = out;
    stream_.avail_out = size_for(static_cast<size_t>(end - out));
    const int status = BZ2_bzDecompress(&stream_);
    in.remove_prefix(static_cast<size_t>(stream_.next_in - in.data()));
    out = stream_.next_out;
    if (status == BZ_STREAM_END) return Step::kStreamEnd;
    return status == BZ_OK ? Step::kMore : Step::kDamaged;
  }
  void restart() override {
    BZ2_bzDecompressEnd(&stream_);
    begin();
  }

 private:
  void begin() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) fail("bzip2: out of memory");
  }
  bz_stream stream_{};
};

class XzCodec : public Codec {
 public:
  XzCodec() { begin(); }
  ~XzCodec() override { lzma_end(&stream_); }
  Step step(std::string_view& in, char*& out, char* end, bool input_ended) override {
    stream_.next_in = reinterpret_cast<const uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(out);
    stream_.avail_out = static_cast<size_t>(end - out);
    const lzma_ret status = lzma_code(&stream_, input_ended ? LZMA_FINISH : LZMA_RUN);
    in.remove_prefix(in.size() - stream_.avail_in);
    out = reinterpret_cast<char*>(stream_.next_out);
    if (status == LZMA_STREAM_END) return Step::kStreamEnd;
    return status == LZMA_OK || status == LZMA_BUF_ERROR ? Step::kMore : Step::kDamaged;
  }
  void restart() override { begin(); }

 private:
  void begin() {
    if (lzma_stream_decoder(&stream_, kMaxXzMemory, LZMA_CONCATENATED) != LZMA_OK) {
      fail("xz: out of memory");
    }
  }
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

class ZstdCodec : public Codec {
 public:
  ZstdCodec() : stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) fail("zstd: out of memory");
  }
  ~ZstdCodec() override { ZSTD_freeDStream(stream_); }
  Step step(std::string_view& in, char*& out, char* end, bool) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out, static_cast<size_t>(end - out), 0};
    const size_t status = ZSTD_decompressStream(stream_, &output, &input);
    in.remove_prefix(input.pos);
    out += output.pos;
    if (ZSTD_isError(status) != 0) return Step::kDamaged;
    return status == 0 ? Step::kStreamEnd : Step::kMore;
  }
  void restart() override { ZSTD_DCtx_reset(stream_, ZSTD_reset_session_only); }

 private:
  ZSTD_DStream* stream_;
};

std::unique_ptr<Codec> make_codec(std::string_view format) {
  if (format == "gzip") return std::make_unique<GzipCodec>();
  if (format == "bzip2") return std::make_unique<Bzip2Codec>();
  if (format == "xz") return std::make_unique<XzCodec>();
  return std::make_unique<ZstdCodec>();
}

class DescriptorSource : public ByteSource {
 public:
  explicit DescriptorSource(int descriptor) : descriptor_(descriptor) {}

  std::string_view next() override {
    size_t filled = 0;
    while (filled < bytes_.size()) {
      const ssize_t got = ::read(descriptor_, bytes_.data() + filled, bytes_.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) damage_ = fmt::format("cannot read: {}", std::strerror(errno));
      if (got <= 0) break;
      filled += static_cast<size_t>(got);
    }
    read_bytes_ += static_cast<int64_t>(filled);
    return {bytes_.data(), filled};
  }

 private:
  int descriptor_;
  std::array<char, kChunkBytes> bytes_{};
};

class DecodedSource : public ByteSource {
 public:
  /// `first`: what source->next() has given already. No format: the bytes as they are.
  DecodedSource(std::unique_ptr<ByteSource> source, std::string_view first, const Mark* format)
      : source_(std::move(source)), in_(first), format_(format) {
    if (format != nullptr) codec_ = make_codec(format->name);
    size_bytes_ = source_->size_bytes();
  }

  std::string_view next() override {
    if (!codec_) return next_plain();
    if (finished_) return {};
    char* out = out_.data();
    while (out < out_.data() + out_.size() && !finished_) take_step(out);
    read_bytes_ = source_->read_bytes() - std::ssize(in_);
    return {out_.data(), static_cast<size_t>(out - out_.data())};
  }

 private:
  std::string_view next_plain() {
    const std::string_view bytes = in_.empty() ? source_->next() : std::exchange(in_, {});
    read_bytes_ = source_->read_bytes();
    damage_ = source_->damage();
    return bytes;
  }

  void refill() {
    if (!in_.empty() || input_ended_) return;
    in_ = source_->next();
    input_ended_ = in_.empty();
  }

  void take_step(char*& out) {
    refill();
    const size_t before = in_.size();
    const char* const filled = out;
    const Step step = codec_->step(in_, out, out_.data() + out_.size(), input_ended_);
    if (step == Step::kDamaged) {
      stop(fmt::format("damaged {} data before byte {}", format_->name, position()));
    } else if (step == Step::kStreamEnd) {
      end_stream();
    } else if (input_ended_ && before == in_.size() && filled == out) {
      stop(source_->damage().empty()
               ? fmt::format("the {} data is cut off at byte {}", format_->name, position())
               : source_->damage());
    }
  }

  /// Data behind a stream that is no further one is padding; gzip treats it the same way.
  void end_stream() {
    refill();
    const std::string_view mark = format_->bytes.substr(0, in_.size());
    finished_ = in_.empty() || !in_.starts_with(mark);
    if (!finished_) codec_->restart();
  }

  int64_t position() const { return source_->read_bytes() - std::ssize(in_); }

  void stop(std::string why) {
    damage_ = std::move(why);
    finished_ = true;
  }

  std::unique_ptr<ByteSource> source_;
  std::string_view in_;
  const Mark* format_;
  std::unique_ptr<Codec> codec_;
  bool input_ended_ = false;
  bool finished_ = false;
  std::array<char, kChunkBytes> out_{};
};

}  // namespace

std::unique_ptr<ByteSource> open_descriptor(int descriptor) {
  return std::make_unique<DescriptorSource>(descriptor);
}

std::unique_ptr<ByteSource> decode(std::unique_ptr<ByteSource> source, const char* name) {
  const std::string_view first = source->next();
  refuse_archive(first, name);
  return std::make_unique<DecodedSource>(std::move(source), first, find_mark(kCompressed, first));
}

bool is_xz_or_zstd(std::string_view bytes) {
  const Mark* const mark = find_mark(kCompressed, bytes);
  return mark == &kCompressed[2] || mark == &kCompressed[3];
}

void refuse_archive(std::string_view bytes, const char* name) {
  if (const Mark* const mark = find_mark(kRefused, bytes)) {
    fail("{}: {} FILE | bertha … - reads it", name, mark->name);
  }
}

}  // namespace bertha::io
