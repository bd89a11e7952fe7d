#pragma once

// Zip archives as torch.save makes them: entries stored without compression, data at multiples of
// 64 bytes so that they can be used in place, zip64 records where a size, an offset or the count
// does not fit (PKWARE's APPNOTE.TXT 6.3.10).
//
// An entry's sum covers its data alone. What we write carries one more, in the archive's comment,
// over all that is no entry's data: headers, padding, directory and end record. So every byte of
// the file is under a sum, where other readers see an ordinary archive with a comment.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.h"

namespace bertha::io {

/// Appends entries to a file. finish() writes the directory; committing is the caller's.
class ZipWriter {
 public:
  /// Sizes and offsets from `zip64_from` on go into zip64 records; tests lower it.
  explicit ZipWriter(AtomicFile& file, uint64_t zip64_from = 0xffffffffU)
      : file_(file), zip64_from_(zip64_from) {}

  /// Starts an entry of exactly `size_bytes`.
  void begin(std::string_view name, int64_t size_bytes);
  void write(std::span<const std::byte> data);
  /// Ends the entry: its sum is put into its header.
  void end();
  /// An entry in one call.
  void add(std::string_view name, std::string_view data);
  void finish();

 private:
  struct Entry {
    std::string name;
    uint64_t offset;
    uint64_t size;
    uint32_t crc;
  };
  /// Writes bytes that are no entry's data.
  void write_frame(std::string_view bytes);
  void append_to_directory(const Entry& entry, std::string& directory) const;
  void append_end(uint64_t directory_offset, uint64_t directory_size, std::string& out) const;

  AtomicFile& file_;
  uint64_t zip64_from_;
  std::vector<Entry> entries_;
  std::string header_;      ///< of the open entry
  uint32_t frame_crc_ = 0;  ///< of what write_frame() and the headers of ended entries put down
  uint64_t written_ = 0;    ///< bytes of the open entry
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

/// An archive that anyone may have made: the constructor checks the whole directory (offsets,
/// sizes, overlaps, names, local headers) and, in an archive of ZipWriter, the sum over all that is
/// no entry's data; read() checks the entry's sum. Errors name the file and the entry. `file` must
/// outlive the reader.
class ZipReader {
 public:
  explicit ZipReader(const MappedFile& file);

  /// True when the file starts as a zip archive does.
  static bool matches(std::span<const std::byte> bytes);

  /// In the order of the directory.
  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// The entry of this name, or null.
  const ZipEntry* find(const std::string& name) const;
  /// The data, after checking its sum: a view into the file when stored, into `buffer` when
  /// deflated.
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
  /// Reads the record at `position` and moves it past the record.
  ZipEntry read_entry(const Directory& directory, uint64_t& position, uint64_t& header) const;
  void locate_data(ZipEntry& entry, uint64_t header, uint64_t directory_offset) const;
  /// Refuses an archive whose deflated entries are out of proportion.
  void refuse_bomb() const;
  /// Checks the sum in the comment, where there is one. Entries lie in the order of `by_offset`.
  void check_frame(const Directory& directory, const std::vector<size_t>& by_offset) const;

  const MappedFile& file_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

}  // namespace bertha::io
