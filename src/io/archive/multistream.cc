#include "io/archive/multistream.h"

#include <bzlib.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/ordered_pipeline.h"
#include "io/archive/bzip2_source.h"
#include "io/atomic_file.h"
#include "io/file_status.h"

namespace bertha::io {
namespace {

constexpr std::string_view kDumpEnding = ".xml.bz2";
constexpr std::string_view kIndexEnding = "-index.txt.bz2";
constexpr size_t kMostLineBytes = size_t{1} << 16;
/// At most 100 pages of 2 MiB and their tags. A larger stream is not one of a dump.
constexpr size_t kMostStreamText = size_t{1} << 28;

/// True for "BZh1" to "BZh9" followed by a block or the end of the stream.
bool begins_stream(std::string_view bytes) {
  constexpr std::string_view kBlock = "\x31\x41\x59\x26\x53\x59";
  constexpr std::string_view kEnd = "\x17\x72\x45\x38\x50\x90";
  return bytes.size() >= 10 && bytes.starts_with("BZh") && bytes[3] >= '1' && bytes[3] <= '9' &&
         (bytes.substr(4).starts_with(kBlock) || bytes.substr(4).starts_with(kEnd));
}

/// Collects the byte offsets at the start of each line of an index.
class IndexReader {
 public:
  explicit IndexReader(const std::string& name) : name_(name) {}

  void add(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      line_.append(text.substr(0, end));
      if (line_.size() > kMostLineBytes) fail("{}: line {}: too long", name_, number_ + 1);
      if (end == std::string_view::npos) return;
      add_line();
      text.remove_prefix(end + 1);
    }
  }
  std::vector<int64_t> finish() {
    if (!line_.empty()) add_line();
    if (streams_.empty()) fail("{}: the index is empty", name_);
    return std::move(streams_);
  }

 private:
  void add_line() {
    ++number_;
    int64_t byte = -1;
    const char* const end = line_.data() + line_.size();
    const auto [stop, error] = std::from_chars(line_.data(), end, byte);
    const bool sound = error == std::errc() && stop != end && *stop == ':' && byte >= 0;
    if (!sound || (!streams_.empty() && byte < streams_.back())) {
      fail("{}: line {}: expected <byte>:<page>:<title>, bytes rising", name_, number_);
    }
    if (streams_.empty() || byte > streams_.back()) streams_.push_back(byte);
    line_.clear();
  }

  std::string name_;
  std::string line_;
  int64_t number_ = 0;
  std::vector<int64_t> streams_;
};

/// A part of the dump that holds whole streams.
struct Piece {
  int64_t begin = 0;
  std::string_view bytes;
};

struct Text {
  int64_t begin = 0;
  int64_t end = 0;
  std::string text;
  bool sound = true;
};

/// Decompresses one stream and removes its bytes from `bytes`. Returns false when it is damaged.
bool expand_one(std::string_view& bytes, std::string& text) {
  bz_stream state{};
  if (BZ2_bzDecompressInit(&state, 0, 0) != BZ_OK) fail("bzip2: out of memory");
  // bzlib declares its input as non-const but does not write to it.
  state.next_in = const_cast<char*>(bytes.data());
  const auto given = static_cast<unsigned>(std::min<size_t>(bytes.size(), UINT32_MAX));
  state.avail_in = given;
  size_t filled = text.size();
  int status = BZ_OK;
  while (status == BZ_OK && filled < kMostStreamText) {
    text.resize(std::max(size_t{1} << 20, 2 * filled));
    state.next_out = text.data() + filled;
    state.avail_out = static_cast<unsigned>(text.size() - filled);
    status = BZ2_bzDecompress(&state);
    const size_t now = text.size() - state.avail_out;
    if (status == BZ_OK && now == filled && state.avail_in == 0) status = BZ_UNEXPECTED_EOF;
    filled = now;
  }
  bytes.remove_prefix(given - state.avail_in);
  BZ2_bzDecompressEnd(&state);
  text.resize(filled);
  return status == BZ_STREAM_END;
}

Text expand(const Piece& piece) {
  Text text{piece.begin, piece.begin + std::ssize(piece.bytes), {}, true};
  std::string_view rest = piece.bytes;
  while (text.sound && !rest.empty()) text.sound = expand_one(rest, text.text);
  return text;
}

class Multistream : public ByteSource {
 public:
  Multistream(std::string_view bytes, std::vector<int64_t> streams, int64_t threads)
      : bytes_(bytes),
        streams_(std::move(streams)),
        workers_(
            threads, [this] { return next_piece(); }, [](Piece&& piece) { return expand(piece); }) {
  }

  std::string_view next() override {
    while (!rest_) {
      std::optional<Text> text = workers_.next();
      if (!text) return {};
      if (!text->sound) {  // read block by block, so that undamaged blocks are returned
        rest_begin_ = text->begin;
        rest_ = open_bzip2(bytes_.substr(static_cast<size_t>(rest_begin_)), 1);
      } else if (!text->text.empty()) {
        text_ = std::move(text->text);
        read_bytes_ = text->end;
        return text_;
      }
    }
    const std::string_view part = rest_->next();
    read_bytes_ = rest_begin_ + rest_->read_bytes();
    if (!rest_->damage().empty()) {
      damage_ = fmt::format("after byte {}: {}", rest_begin_, rest_->damage());
    }
    return part;
  }

 private:
  std::optional<Piece> next_piece() {
    if (begin_ == bytes_.size()) return std::nullopt;
    while (next_ < streams_.size() && std::cmp_less_equal(streams_[next_], begin_)) ++next_;
    const size_t end = next_ < streams_.size()
                           ? std::min(static_cast<size_t>(streams_[next_]), bytes_.size())
                           : bytes_.size();
    const Piece piece{static_cast<int64_t>(begin_), bytes_.substr(begin_, end - begin_)};
    begin_ = end;
    return piece;
  }

  std::string_view bytes_;
  std::vector<int64_t> streams_;
  size_t begin_ = 0;  ///< start of the next piece
  size_t next_ = 0;
  std::string text_;
  std::unique_ptr<ByteSource> rest_;  ///< reads from the first damaged or too large piece on
  int64_t rest_begin_ = 0;
  OrderedPipeline<Piece, Text> workers_;  // last member: its threads use the members above
};

}  // namespace

std::string find_stream_index(const std::string& dump) {
  if (!dump.ends_with(kDumpEnding)) return {};
  std::string index = dump.substr(0, dump.size() - kDumpEnding.size());
  index += kIndexEnding;
  return is_regular_file(index) ? index : std::string();
}

std::vector<int64_t> read_stream_index(const std::string& index, const std::string& dump,
                                       int64_t threads) {
  const std::unique_ptr<ByteSource> source = open_source(index, threads);
  IndexReader reader(index);
  for (std::string_view text = source->next(); !text.empty(); text = source->next()) {
    reader.add(text);
  }
  if (!source->damage().empty()) fail("{}: {}", index, source->damage());
  std::vector<int64_t> streams = reader.finish();
  const io::MappedFile file(dump);
  for (const int64_t byte : streams) {
    if (byte >= file.size_bytes() ||
        !begins_stream(file.text().substr(static_cast<size_t>(byte)))) {
      fail("{}: does not fit {}: no bzip2 stream begins at its byte {}", index, dump, byte);
    }
  }
  return streams;
}

std::unique_ptr<ByteSource> open_multistream(std::string_view bytes, std::vector<int64_t> streams,
                                             int64_t threads) {
  return std::make_unique<Multistream>(bytes, std::move(streams), threads);
}

}  // namespace bertha::io
