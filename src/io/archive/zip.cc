#include "io/archive/zip.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "io/archive/crc32.h"
#include "io/byte_order.h"
#include "io/verify_checksums.h"

namespace bertha::io {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kZip64EndSignature = 0x06064b50;
constexpr uint32_t kZip64LocatorSignature = 0x07064b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kZip64EndBytes = 56;
constexpr uint64_t kZip64LocatorBytes = 20;
constexpr uint64_t kCrcInLocal = 14;

constexpr uint64_t kDataAlignment = 64;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kPaddingExtra = 0x4246;  // "FB", as PyTorch marks its padding
constexpr uint16_t kUtf8Name = 0x0800;
constexpr uint16_t kDate = 0x0021;  // 1980-01-01, so that equal contents give equal bytes
constexpr uint16_t kVersion = 20;
constexpr uint16_t kVersionZip64 = 45;
constexpr uint32_t kIn64 = 0xffffffff;
constexpr uint16_t kCountIn64 = 0xffff;

constexpr uint16_t kEncryptedFlag = 0x0001;
constexpr uint16_t kDescriptorFlag = 0x0008;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
// Deflate compresses by at most 1032 : 1. torch.save never deflates, and compression gains little
// because weights are close to random. The total size of all deflated entries is bounded, so that a
// decompression bomb is rejected before anything is inflated.
constexpr uint64_t kMaxEntries = 100'000;
constexpr uint64_t kMaxRatio = 1032;
constexpr uint64_t kMaxTotalRatio = 4;
constexpr uint64_t kFreeInflatedBytes = uint64_t{1} << 25;

// Comment "bertha crc32 0123abcd". Every comment of this length is treated as a checksum, so that
// damage cannot make it look like another comment. torch.save writes no comment.
constexpr std::string_view kCommentStart = "bertha crc32 ";
constexpr uint64_t kCommentBytes = kCommentStart.size() + 8;

std::string frame_comment(uint32_t crc) {
  return fmt::format("{}{:08x}", kCommentStart, crc);
}

/// False for names that an extractor might write outside its folder. Only a hostile archive has
/// them.
bool is_safe_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.size() > 4096) return false;
  if (name.find('\0') != name.npos || name.find('\\') != name.npos) return false;
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return false;
    begin = end + 1;
  }
  return true;
}

/// The numbers of a zip64 extra field, returned in the order that APPNOTE.TXT 4.5.3 defines.
class Zip64Fields {
 public:
  explicit Zip64Fields(std::span<const std::byte> extra) {
    while (extra.size() >= 4) {
      const auto id = load<uint16_t>(extra.data());
      const auto size = load<uint16_t>(extra.data() + 2);
      if (size > extra.size() - 4) return;
      if (id == kZip64Extra) {
        field_ = extra.subspan(4, size);
        return;
      }
      extra = extra.subspan(4 + size_t{size});
    }
  }
  /// `value` itself, or the next number of the field when `value` is the zip64 marker.
  std::optional<uint64_t> resolve(uint32_t value) {
    if (value != kIn64) return value;
    if (field_.size() < 8) return std::nullopt;
    const auto wide = load<uint64_t>(field_.data());
    field_ = field_.subspan(8);
    return wide;
  }

 private:
  std::span<const std::byte> field_;
};

}  // namespace

void ZipWriter::begin(std::string_view name, int64_t size_bytes) {
  BERTHA_CHECK(!open_ && size_bytes >= 0 && is_safe_name(name), "zip entry {}", name);
  const auto offset = static_cast<uint64_t>(file_.size_bytes());
  const auto size = static_cast<uint64_t>(size_bytes);
  const bool wide = size >= zip64_from_;
  const uint64_t fixed = offset + kLocalBytes + name.size() + (wide ? 20 : 0) + 4;
  const uint64_t padding = (kDataAlignment - fixed % kDataAlignment) % kDataAlignment;
  std::string& header = header_;
  header.clear();
  store(header, kLocalSignature);
  store(header, wide ? kVersionZip64 : kVersion);
  store(header, kUtf8Name);
  store(header, kStored);
  store(header, uint16_t{0});  // time
  store(header, kDate);
  store(header, uint32_t{0});  // the CRC, known at end()
  store(header, wide ? kIn64 : static_cast<uint32_t>(size));
  store(header, wide ? kIn64 : static_cast<uint32_t>(size));
  store(header, static_cast<uint16_t>(name.size()));
  store(header, static_cast<uint16_t>((wide ? 20 : 0) + 4 + padding));
  header += name;
  if (wide) {
    store(header, kZip64Extra);
    store(header, uint16_t{16});
    store(header, size);
    store(header, size);
  }
  store(header, kPaddingExtra);
  store(header, static_cast<uint16_t>(padding));
  header.append(padding, 'Z');
  file_.write(header);
  entries_.push_back({std::string(name), offset, size, 0});
  written_ = 0;
  open_ = true;
}

void ZipWriter::write(std::span<const std::byte> data) {
  BERTHA_CHECK(open_ && data.size() <= entries_.back().size - written_, "{}: too much data",
               file_.path());
  entries_.back().crc = crc32(data, entries_.back().crc);
  written_ += data.size();
  file_.write(data);
}

void ZipWriter::end() {
  BERTHA_CHECK(open_ && written_ == entries_.back().size, "{}: {} of {} bytes written",
               entries_.back().name, written_, entries_.back().size);
  const auto offset = static_cast<int64_t>(entries_.back().offset + kCrcInLocal);
  const auto crc = std::as_bytes(std::span(&entries_.back().crc, 1));
  file_.overwrite(offset, crc);
  std::memcpy(header_.data() + kCrcInLocal, crc.data(), crc.size());
  frame_crc_ = crc32(std::as_bytes(std::span(header_)), frame_crc_);
  open_ = false;
}

void ZipWriter::write_frame(std::string_view bytes) {
  frame_crc_ = crc32(std::as_bytes(std::span(bytes)), frame_crc_);
  file_.write(bytes);
}

void ZipWriter::add(std::string_view name, std::string_view data) {
  begin(name, static_cast<int64_t>(data.size()));
  write(std::as_bytes(std::span(data)));
  end();
}

void ZipWriter::append_to_directory(const Entry& entry, std::string& directory) const {
  const bool wide_size = entry.size >= zip64_from_;
  const bool wide_offset = entry.offset >= zip64_from_;
  const auto extra = static_cast<uint16_t>((wide_size ? 16 : 0) + (wide_offset ? 8 : 0));
  const uint16_t version = extra > 0 ? kVersionZip64 : kVersion;
  store(directory, kCentralSignature);
  store(directory, version);  // made by
  store(directory, version);  // needed
  store(directory, kUtf8Name);
  store(directory, kStored);
  store(directory, uint16_t{0});  // time
  store(directory, kDate);
  store(directory, entry.crc);
  store(directory, wide_size ? kIn64 : static_cast<uint32_t>(entry.size));
  store(directory, wide_size ? kIn64 : static_cast<uint32_t>(entry.size));
  store(directory, static_cast<uint16_t>(entry.name.size()));
  store(directory, static_cast<uint16_t>(extra > 0 ? extra + 4 : 0));
  store(directory, uint16_t{0});  // comment
  store(directory, uint16_t{0});  // disk
  store(directory, uint16_t{0});  // internal attributes
  store(directory, uint32_t{0});  // external attributes
  store(directory, wide_offset ? kIn64 : static_cast<uint32_t>(entry.offset));
  directory += entry.name;
  if (extra == 0) return;
  store(directory, kZip64Extra);
  store(directory, extra);
  if (wide_size) store(directory, entry.size);
  if (wide_size) store(directory, entry.size);
  if (wide_offset) store(directory, entry.offset);
}

void ZipWriter::append_end(uint64_t directory_offset, uint64_t directory_size,
                           std::string& out) const {
  const uint64_t count = entries_.size();
  const bool wide =
      count >= kCountIn64 || directory_offset >= zip64_from_ || directory_size >= zip64_from_;
  if (wide) {
    store(out, kZip64EndSignature);
    store(out, kZip64EndBytes - 12);
    store(out, kVersionZip64);
    store(out, kVersionZip64);
    store(out, uint32_t{0});  // this disk
    store(out, uint32_t{0});  // the directory's disk
    store(out, count);
    store(out, count);
    store(out, directory_size);
    store(out, directory_offset);
    store(out, kZip64LocatorSignature);
    store(out, uint32_t{0});  // disk
    store(out, directory_offset + directory_size);
    store(out, uint32_t{1});  // disks
  }
  store(out, kEndSignature);
  store(out, uint32_t{0});  // disks
  store(out, wide ? kCountIn64 : static_cast<uint16_t>(count));
  store(out, wide ? kCountIn64 : static_cast<uint16_t>(count));
  store(out, wide ? kIn64 : static_cast<uint32_t>(directory_size));
  store(out, wide ? kIn64 : static_cast<uint32_t>(directory_offset));
  store(out, static_cast<uint16_t>(kCommentBytes));
}

void ZipWriter::finish() {
  BERTHA_CHECK(!open_, "{}: an entry is open", file_.path());
  std::string out;
  for (const Entry& entry : entries_) append_to_directory(entry, out);
  append_end(static_cast<uint64_t>(file_.size_bytes()), out.size(), out);
  write_frame(out);
  file_.write(frame_comment(frame_crc_));
}

bool ZipReader::matches(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return false;
  const auto signature = load<uint32_t>(bytes.data());
  return signature == kLocalSignature || signature == kEndSignature;
}

ZipReader::ZipReader(const MappedFile& file) : file_(file) {
  read_entries(find_directory());
}

const ZipEntry* ZipReader::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

// Searches the end record backwards over a comment of at most 65,535 bytes. The comment must end
// exactly at the end of the file.
ZipReader::Directory ZipReader::find_directory() const {
  const std::span<const std::byte> bytes = file_.bytes();
  const uint64_t size = bytes.size();
  for (uint64_t back = kEndBytes; back <= std::min<uint64_t>(size, kEndBytes + 0xffff); ++back) {
    const std::byte* end = bytes.data() + (size - back);
    if (load<uint32_t>(end) != kEndSignature) continue;
    if (load<uint16_t>(end + 20) != back - kEndBytes) continue;
    const uint64_t end_offset = size - back;
    Directory directory{load<uint32_t>(end + 16), load<uint32_t>(end + 12),
                        load<uint16_t>(end + 10), end_offset + kEndBytes};
    const bool wide =
        directory.offset == kIn64 || directory.size == kIn64 || directory.count == kCountIn64;
    uint64_t limit = end_offset;
    if (wide && end_offset >= kZip64LocatorBytes &&
        load<uint32_t>(end - kZip64LocatorBytes) == kZip64LocatorSignature) {
      directory = read_zip64_end(end_offset);
      directory.comment_offset = end_offset + kEndBytes;
      limit = end_offset - kZip64LocatorBytes;
    } else if (load<uint32_t>(end + 4) != 0 ||
               load<uint16_t>(end + 8) != load<uint16_t>(end + 10)) {
      fail("{}: zip archive of several parts, expected one file", file_.path());
    }
    if (directory.offset > limit || directory.size > limit - directory.offset ||
        directory.count > directory.size / kCentralBytes) {
      fail("{}: damaged zip archive: the directory of {} entries at byte {} does not fit",
           file_.path(), directory.count, directory.offset);
    }
    if (directory.count > kMaxEntries) {
      fail("{}: zip archive of {} entries, at most {} are read", file_.path(), directory.count,
           kMaxEntries);
    }
    return directory;
  }
  fail("{}: damaged zip archive: no end record (is the file cut off?)", file_.path());
}

ZipReader::Directory ZipReader::read_zip64_end(uint64_t end_offset) const {
  const uint64_t locator_offset = end_offset - kZip64LocatorBytes;
  const auto locator = file_.slice(locator_offset, kZip64LocatorBytes, "the zip64 locator");
  const auto offset = load<uint64_t>(locator.data() + 8);
  const auto end = file_.slice(offset, kZip64EndBytes, "the zip64 end record");
  if (load<uint32_t>(end.data()) != kZip64EndSignature || offset > locator_offset) {
    fail("{}: damaged zip archive: no zip64 end record at byte {}", file_.path(), offset);
  }
  return {load<uint64_t>(end.data() + 48), load<uint64_t>(end.data() + 40),
          load<uint64_t>(end.data() + 32), 0};
}

void ZipReader::read_entries(const Directory& directory) {
  std::vector<uint64_t> headers;
  uint64_t position = directory.offset;
  entries_.reserve(directory.count);
  for (uint64_t i = 0; i < directory.count; ++i) {
    ZipEntry entry = read_entry(directory, position, headers.emplace_back());
    locate_data(entry, headers.back(), directory.offset);
    if (!by_name_.emplace(entry.name, entries_.size()).second) {
      fail("{}: zip archive names entry {} twice", file_.path(), entry.name);
    }
    entries_.push_back(std::move(entry));
  }
  std::vector<size_t> by_offset(entries_.size());
  std::iota(by_offset.begin(), by_offset.end(), size_t{0});
  std::sort(by_offset.begin(), by_offset.end(),
            [&](size_t a, size_t b) { return headers[a] < headers[b]; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const ZipEntry& before = entries_[by_offset[i - 1]];
    const uint64_t header = headers[by_offset[i]];
    if (header < before.data_offset + before.compressed_size) {
      fail("{}: zip archive with entries that overlap at byte {}", file_.path(), header);
    }
  }
  reject_expansion();
  check_frame(directory, by_offset);
}

void ZipReader::reject_expansion() const {
  const uint64_t most = kMaxTotalRatio * file_.bytes().size() + kFreeInflatedBytes;
  uint64_t inflated = 0;
  for (const ZipEntry& entry : entries_) {
    if (!entry.deflated) continue;
    if (entry.size > most - inflated) {
      fail("{}: entry {} is deflated and too large ({} bytes): repack it without compression",
           file_.path(), entry.name, entry.size);
    }
    inflated += entry.size;
  }
}

void ZipReader::check_frame(const Directory& directory,
                            const std::vector<size_t>& by_offset) const {
  const std::string_view comment = file_.text().substr(directory.comment_offset);
  if (comment.size() != kCommentBytes) return;
  uint32_t crc = 0;
  uint64_t position = 0;
  for (const size_t index : by_offset) {
    const ZipEntry& entry = entries_[index];
    crc = crc32(file_.bytes().subspan(position, entry.data_offset - position), crc);
    position = entry.data_offset + entry.compressed_size;
  }
  crc = crc32(file_.bytes().subspan(position, directory.comment_offset - position), crc);
  if (kVerifyChecksums && comment != frame_comment(crc)) {
    fail("{}: damaged zip archive: the checksum of its headers is {:08x}, its comment has another",
         file_.path(), crc);
  }
}

ZipEntry ZipReader::read_entry(const Directory& directory, uint64_t& position,
                               uint64_t& header) const {
  const uint64_t left = directory.offset + directory.size - position;
  const std::byte* record = file_.bytes().data() + position;
  const auto bad = [&](const char* what) {
    fail("{}: damaged zip archive: {} in the directory at byte {}", file_.path(), what, position);
  };
  if (left < kCentralBytes || load<uint32_t>(record) != kCentralSignature) bad("no entry");
  const uint64_t name_size = load<uint16_t>(record + 28);
  const uint64_t extra_size = load<uint16_t>(record + 30);
  const uint64_t comment_size = load<uint16_t>(record + 32);
  if (name_size + extra_size + comment_size > left - kCentralBytes) bad("a cut off entry");
  ZipEntry entry;
  entry.name.assign(reinterpret_cast<const char*>(record + kCentralBytes), name_size);
  if (!is_safe_name(entry.name)) bad("an unsafe name");
  if ((load<uint16_t>(record + 8) & kEncryptedFlag) != 0) bad("an encrypted entry");
  const auto method = load<uint16_t>(record + 10);
  if (method != kStored && method != kDeflated) bad("an unknown compression method");
  entry.deflated = method == kDeflated;
  entry.crc = load<uint32_t>(record + 16);
  Zip64Fields wide(std::span(record + kCentralBytes + name_size, extra_size));
  const auto size = wide.resolve(load<uint32_t>(record + 24));
  const auto compressed = wide.resolve(load<uint32_t>(record + 20));
  const auto offset = wide.resolve(load<uint32_t>(record + 42));
  if (!size || !compressed || !offset) bad("an entry without its zip64 field");
  entry.size = *size;
  entry.compressed_size = *compressed;
  header = *offset;
  if (!entry.deflated && entry.size != entry.compressed_size) bad("two sizes of a stored entry");
  if (entry.deflated && (entry.size / kMaxRatio > entry.compressed_size)) bad("an impossible size");
  position += kCentralBytes + name_size + extra_size + comment_size;
  return entry;
}

void ZipReader::locate_data(ZipEntry& entry, uint64_t header, uint64_t directory_offset) const {
  const auto local = file_.slice(header, kLocalBytes, entry.name);
  const auto bad = [&](const char* what) {
    fail("{}: damaged zip archive: entry {}: {} at byte {}", file_.path(), entry.name, what,
         header);
  };
  if (load<uint32_t>(local.data()) != kLocalSignature) bad("no local header");
  const uint64_t name_size = load<uint16_t>(local.data() + 26);
  const uint64_t extra_size = load<uint16_t>(local.data() + 28);
  const auto rest = file_.slice(header + kLocalBytes, name_size + extra_size, entry.name);
  const std::string_view name(reinterpret_cast<const char*>(rest.data()), name_size);
  if (name != entry.name) bad("another name in the local header");
  if (load<uint16_t>(local.data() + 8) != (entry.deflated ? kDeflated : kStored)) {
    bad("another compression method in the local header");
  }
  if ((load<uint16_t>(local.data() + 6) & kDescriptorFlag) == 0) {
    Zip64Fields wide(rest.subspan(name_size));
    const auto size = wide.resolve(load<uint32_t>(local.data() + 22));
    const auto compressed = wide.resolve(load<uint32_t>(local.data() + 18));
    if (size != entry.size || compressed != entry.compressed_size) {
      bad("other sizes in the local header");
    }
    if (kVerifyChecksums && load<uint32_t>(local.data() + kCrcInLocal) != entry.crc) {
      bad("another checksum in the local header");
    }
  }
  entry.data_offset = header + kLocalBytes + name_size + extra_size;
  if (entry.data_offset > directory_offset ||
      entry.compressed_size > directory_offset - entry.data_offset) {
    bad("data that do not fit");
  }
}

std::span<const std::byte> ZipReader::read(const ZipEntry& entry,
                                           std::vector<std::byte>& buffer) const {
  auto data = file_.slice(entry.data_offset, entry.compressed_size, entry.name);
  if (entry.deflated) {
    buffer.resize(entry.size);
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    BERTHA_CHECK(inflater != nullptr, "no memory to inflate {}", entry.name);
    std::byte nothing{};  // an empty vector may have a null address
    const auto result = libdeflate_deflate_decompress(inflater.get(), data.data(), data.size(),
                                                      buffer.empty() ? &nothing : buffer.data(),
                                                      buffer.size(), nullptr);
    if (result != LIBDEFLATE_SUCCESS) {
      fail("{}: damaged zip archive: entry {} cannot be inflated", file_.path(), entry.name);
    }
    data = buffer;
  }
  const uint32_t crc = crc32(data);
  if (kVerifyChecksums && crc != entry.crc) {
    fail("{}: entry {} is damaged: CRC {:08x}, expected {:08x}", file_.path(), entry.name, crc,
         entry.crc);
  }
  return data;
}

}  // namespace bertha::io
