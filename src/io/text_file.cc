#include "io/text_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/utf8.h"
#include "io/archive/byte_source.h"
#include "io/foreign_file.h"

namespace bertha::io {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";
constexpr size_t kHeadBytes = 512;
constexpr size_t kMaxUnpackedBytes = size_t{1} << 33;
constexpr size_t kMaxLineBytes = size_t{1} << 30;
constexpr const char* kUtf16 =
    "UTF-16 text, expected UTF-8; `iconv -f UTF-16 -t UTF-8 OLD > NEW` converts it";

std::string shown(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

bool is_compressed(std::string_view bytes) {
  constexpr std::string_view kBzip2Block = "1AY&SY";
  return bytes.starts_with("\x1f\x8b") ||
         (bytes.starts_with("BZh") && bytes.size() > 4 && bytes.substr(4).starts_with(kBzip2Block));
}

/// Without a mark, UTF-16 of Latin letters has a NUL in every other byte, which is valid UTF-8.
bool looks_like_utf16(std::string_view head) {
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) return true;
  int64_t even = 0;
  int64_t odd = 0;
  for (size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\0') ++(i % 2 == 0 ? even : odd);
  }
  const auto half = static_cast<int64_t>(head.size() / 2);
  return half >= 2 && ((even == 0 && 3 * odd > 2 * half) || (odd == 0 && 3 * even > 2 * half));
}

/// Refuses what the first bytes of a text show.
void check_head(std::string_view head, const std::string& path) {
  if (head.starts_with("version https://git-lfs.github.com/spec/")) {
    fail("{}: expected text; this is {}", path, describe_foreign_file(head));
  }
  if (looks_like_utf16(head)) fail("{}: {}", path, kUtf16);
}

/// `byte` and `line` (from 1) say where the text stops being UTF-8; `head` is its beginning.
[[noreturn]] void refuse(std::string_view head, const std::string& path, int64_t byte,
                         int64_t line) {
  if (const std::string foreign = describe_foreign_file(head); !foreign.empty()) {
    fail("{}: expected UTF-8 text; this is {}", path, foreign);
  }
  if (head.find('\0') != std::string_view::npos) {
    fail("{}: binary data, expected text: byte {} is not UTF-8 text", path, byte);
  }
  fail(
      "{}: byte {} is not UTF-8 text (line {}); `iconv -f LATIN1 -t UTF-8 OLD > NEW` converts "
      "Latin-1",
      path, byte, line);
}

int64_t count_lines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n');
}

std::string unpack(std::string_view bytes, const std::string& path) {
  const std::unique_ptr<ByteSource> source = open_memory(bytes, path, 1);
  std::string text;
  for (std::string_view part = source->next(); !part.empty(); part = source->next()) {
    if (part.size() > kMaxUnpackedBytes - text.size()) {
      fail("{}: unpacks to over {} bytes; unpack and divide it first", path, kMaxUnpackedBytes);
    }
    text += part;
  }
  if (!source->damage().empty()) fail("{}: {}", path, source->damage());
  return text;
}

/// Standard input, a pipe or a device, which cannot be mapped. It is not unpacked.
class StreamSource : public ByteSource {
 public:
  explicit StreamSource(const std::string& path) : path_(shown(path)), file_(open(path)) {}

  std::string_view next() override {
    buffer_.resize(size_t{1} << 18);
    buffer_.resize(std::fread(buffer_.data(), 1, buffer_.size(), file_.get()));
    if (std::ferror(file_.get()) != 0) fail("{}: {}", path_, std::strerror(errno));
    return buffer_;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  static std::FILE* open(const std::string& path) {
    std::FILE* file =
        path == "-" ? ::fdopen(::dup(STDIN_FILENO), "rb") : std::fopen(path.c_str(), "rb");
    if (file == nullptr) fail("{}: {}", shown(path), std::strerror(errno));
    return file;
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::string buffer_;
};

/// A plain file is mapped; open_memory() would take any text that begins with "BZh" for bzip2.
class PlainFileSource : public ByteSource {
 public:
  explicit PlainFileSource(MappedFile file) : file_(std::move(file)), rest_(file_.text()) {}

  std::string_view next() override {
    const std::string_view chunk = rest_.substr(0, size_t{1} << 20);
    rest_.remove_prefix(chunk.size());
    return chunk;
  }

 private:
  MappedFile file_;
  std::string_view rest_;
};

bool is_stream(const std::string& path) {
  std::error_code ignored;
  const auto type = std::filesystem::status(path, ignored).type();
  return path == "-" || type == std::filesystem::file_type::fifo ||
         type == std::filesystem::file_type::character;
}

std::string read_stream(const std::string& path) {
  StreamSource source(path);
  std::string text;
  for (std::string_view part = source.next(); !part.empty(); part = source.next()) {
    if (part.size() > kMaxUnpackedBytes - text.size()) {
      fail("{}: over {} bytes; expected a text of less", shown(path), kMaxUnpackedBytes);
    }
    text += part;
  }
  return text;
}

std::unique_ptr<ByteSource> open_blocks(const std::string& path) {
  if (is_stream(path)) return std::make_unique<StreamSource>(path);
  MappedFile file(path);
  if (is_compressed(file.text())) return open_source(path, 1);
  return std::make_unique<PlainFileSource>(std::move(file));
}

}  // namespace

TextFile::TextFile(const std::string& path, Check check) : path_(shown(path)) {
  if (is_stream(path)) {
    owned_ = std::make_unique<const std::string>(read_stream(path));
    all_ = *owned_;
  } else {
    all_ = file_.emplace(path).text();
  }
  if (is_compressed(all_)) {
    owned_ = std::make_unique<const std::string>(unpack(all_, path_));
    all_ = *owned_;
  }
  text_ = all_.substr(all_.starts_with(kMark) ? kMark.size() : 0);
  check_head(all_.substr(0, kHeadBytes), path_);
  if (check == Check::kNow) require_utf8(text_);
}

void TextFile::require_utf8(std::string_view part) const {
  const int64_t invalid = find_invalid_utf8(part);
  if (invalid < 0) return;
  const int64_t byte = part.data() - all_.data() + invalid;
  refuse(all_.substr(0, kHeadBytes), path(), byte,
         count_lines(all_.substr(0, static_cast<size_t>(byte))) + 1);
}

struct TextBlocks::Source {
  std::unique_ptr<ByteSource> bytes;
};

TextBlocks::~TextBlocks() = default;

TextBlocks::TextBlocks(const std::string& path, size_t block_bytes)
    : path_(shown(path)),
      block_bytes_(block_bytes),
      source_(std::make_unique<Source>(Source{open_blocks(path)})) {
  while (buffer_.size() < kHeadBytes && fill()) {
  }
  head_ = buffer_.substr(0, kHeadBytes);
  check_head(head_, path_);
  if (head_.starts_with(kMark)) used_ = kMark.size();
  bytes_done_ = static_cast<int64_t>(used_);
}

/// Appends the next bytes of the source to the buffer. False at the end.
bool TextBlocks::fill() {
  const std::string_view part = source_->bytes->next();
  if (!source_->bytes->damage().empty()) fail("{}: {}", path_, source_->bytes->damage());
  ended_ = part.empty();
  buffer_ += part;
  return !ended_;
}

std::string_view TextBlocks::next() {
  buffer_.erase(0, used_);
  used_ = 0;
  size_t newline = buffer_.rfind('\n');
  while (!ended_ && (buffer_.size() < block_bytes_ || newline == std::string::npos)) {
    const size_t old = buffer_.size();
    if (!fill()) break;
    const size_t found = std::string_view(buffer_).substr(old).rfind('\n');
    if (found != std::string_view::npos) newline = old + found;
    if (newline == std::string::npos && buffer_.size() > kMaxLineBytes) {
      fail("{}: a line of over {} bytes; expected lines of text", path_, kMaxLineBytes);
    }
  }
  used_ = ended_ || newline == std::string::npos ? buffer_.size() : newline + 1;
  return check(std::string_view(buffer_).substr(0, used_));
}

std::string_view TextBlocks::check(std::string_view block) {
  if (const int64_t invalid = find_invalid_utf8(block); invalid >= 0) {
    refuse(head_, path_, bytes_done_ + invalid,
           lines_done_ + count_lines(block.substr(0, static_cast<size_t>(invalid))) + 1);
  }
  bytes_done_ += std::ssize(block);
  lines_done_ += count_lines(block);
  return block;
}

void require_utf8_line(std::string_view line, const std::string& path, int64_t number) {
  const int64_t invalid = find_invalid_utf8(line);
  if (invalid >= 0) fail("{}: line {}: byte {} is not UTF-8 text", path, number, invalid);
}

}  // namespace bertha::io
