#pragma once

// Published files are always complete: a file is written under a temporary name, flushed to the
// disk and renamed. A crash leaves either the old file or the new one, and possibly a temporary
// file that the next run removes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::io {

/// A file that gets its name at commit(): it appears complete or not at all. Every failure throws
/// Error with the file's name and the system's reason.
class AtomicFile {
 public:
  /// Creates `path`.tmp-<process>-<number> beside the target. The folder must exist. For a symbolic
  /// link, the file that it points to is replaced. Throws Error when `path` is a folder or device.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// Removes the temporary file unless commit() succeeded.
  ~AtomicFile();

  /// Appends data. Small writes are buffered.
  void write(std::span<const std::byte> data);
  void write(std::string_view data);
  /// Overwrites bytes written before, for headers whose counts are known only at the end. The next
  /// write() still appends.
  void overwrite(int64_t offset, std::span<const std::byte> data);
  /// Bytes appended so far.
  int64_t size_bytes() const { return flushed_bytes_ + static_cast<int64_t>(buffer_.size()); }

  /// Flushes file and folder to the disk and renames the file to its final name. Call it once,
  /// after the last write.
  void commit();

  const std::string& path() const { return path_; }
  /// For writers that open the file by name; they must have finished before commit().
  const std::string& temporary_path() const { return temporary_path_; }

 private:
  void create();
  void flush();
  [[noreturn]] void fail_with(const char* what, int error) const;

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
  int64_t flushed_bytes_ = 0;
  std::vector<std::byte> buffer_;
};

/// Writes a whole file through AtomicFile.
void write_file(const std::string& path, std::string_view contents);

/// Removes the temporary files in `folder` whose AtomicFile was in a process that was killed. Files
/// of living processes stay, on whichever machine they run. Returns the names removed; a folder
/// that does not exist has none.
std::vector<std::string> remove_leftovers(const std::string& folder);

/// A file mapped into memory, read only. The file must not shrink while it is mapped; files
/// published by rename never do.
class MappedFile {
 public:
  /// Throws Error when `path` cannot be read or is not a regular file.
  explicit MappedFile(std::string path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  int64_t size_bytes() const { return static_cast<int64_t>(bytes_.size()); }
  std::span<const std::byte> bytes() const { return bytes_; }
  /// The bytes as characters.
  std::string_view text() const;
  /// Returns `size` bytes from `offset`. Throws Error that names the file and `what` when the file
  /// is too short.
  std::span<const std::byte> slice(uint64_t offset, uint64_t size, std::string_view what) const;

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

}  // namespace bertha::io
