#pragma once

// Zip archives as torch.save writes them: entries are stored without compression, and data starts
// at multiples of 64 bytes so that it can be used in place. Sizes, offsets and counts that do not
// fit use zip64 records (PKWARE's APPNOTE.TXT 6.3.10).
//
// The checksum of an entry covers its data alone. Archives of ZipWriter carry one more checksum in
// the archive's comment, over all bytes outside entry data: headers, padding, directory and end
// record. So a checksum covers every byte of the file, and other readers see a normal archive with
// a comment.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.h"

namespace bertha::io {

/// Appends entries to a file. finish() writes the directory; the caller commits the file.
class ZipWriter {
 public:
  /// Sizes and offsets of `zip64_from` and more use zip64 records; tests lower this limit.
  explicit ZipWriter(AtomicFile& file, uint64_t zip64_from = 0xffffffffU)
      : file_(file), zip64_from_(zip64_from) {}

  /// Starts an entry of exactly `size_bytes`.
  void begin(std::string_view name, int64_t size_bytes);
  void write(std::span<const std::byte> data);
  /// Ends the entry and writes its checksum into its header.
  void end();
  /// Adds an entry in one call.
  void add(std::string_view name, std::string_view data);
  void finish();

 private:
  struct Entry {
    std::string name;
    uint64_t offset;
    uint64_t size;
    uint32_t crc;
  };
  /// Writes bytes that are not entry data.
  void write_frame(std::string_view bytes);
  void append_to_directory(const Entry& entry, std::string& directory) const;
  void append_end(uint64_t directory_offset, uint64_t directory_size, std::string& out) const;

  AtomicFile& file_;
  uint64_t zip64_from_;
  std::vector<Entry> entries_;
  std::string header_;      ///< of the open entry
  uint32_t frame_crc_ = 0;  ///< over the bytes of write_frame() and the headers of finished entries
  uint64_t written_ = 0;    ///< data bytes of the open entry
  bool open_ = false;
};

struct ZipEntry {
  std::string name;
  uint64_t data_offset = 0;
  uint64_t compressed_size = 0;
  uint64_t size = 0;
  uint32_t crc = 0;
  bool deflated = false;
};

/// Reads an archive from any origin. The constructor checks the whole directory (offsets, sizes,
/// overlaps, names, local headers) and, for an archive of ZipWriter, the checksum over the bytes
/// outside entry data. read() checks the checksum of the entry. Errors name the file and the entry.
/// `file` must outlive the reader.
class ZipReader {
 public:
  explicit ZipReader(const MappedFile& file);

  /// True when the file begins as a zip archive does.
  static bool matches(std::span<const std::byte> bytes);

  /// Entries in the order of the directory.
  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// The entry of this name, or null.
  const ZipEntry* find(const std::string& name) const;
  /// Returns the data after a check of its checksum: a view into the file for a stored entry, a
  /// view into `buffer` for a deflated one.
  std::span<const std::byte> read(const ZipEntry& entry, std::vector<std::byte>& buffer) const;

 private:
  struct Directory {
    uint64_t offset;
    uint64_t size;
    uint64_t count;
    uint64_t comment_offset;
  };
  Directory find_directory() const;
  Directory read_zip64_end(uint64_t end_offset) const;
  void read_entries(const Directory& directory);
  /// Reads the record at `position` and moves `position` past it.
  ZipEntry read_entry(const Directory& directory, uint64_t& position, uint64_t& header) const;
  void locate_data(ZipEntry& entry, uint64_t header, uint64_t directory_offset) const;
  /// Rejects an archive whose deflated entries are out of proportion to its size.
  void reject_expansion() const;
  /// Checks the checksum in the comment, if there is one. `by_offset` orders the entries by offset.
  void check_frame(const Directory& directory, const std::vector<size_t>& by_offset) const;

  const MappedFile& file_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

}  // namespace bertha::io
