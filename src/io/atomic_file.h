#pragma once

// Whatever is published is whole: a file is written aside under a temporary name, flushed to the
// disk and renamed. A crash leaves the old file or the new one, and a temporary that the next run
// removes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::io {

/// A file that appears under its name at commit(), whole, or not at all. Every failure throws
/// Error with the file's name and the system's reason.
class AtomicFile {
 public:
  /// Creates `path`.tmp-<process>-<number> beside the target; the folder must exist. Of a symbolic
  /// link the file that it stands for is replaced. Throws Error where `path` is a folder or device.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// Removes the temporary unless commit() was reached.
  ~AtomicFile();

  /// Appends. Small pieces are collected in a buffer.
  void write(std::span<const std::byte> data);
  void write(std::string_view data);
  /// Overwrites bytes written before, as a header needs whose counts are known last. The next
  /// write() still appends.
  void overwrite(int64_t offset, std::span<const std::byte> data);
  /// Bytes appended so far.
  int64_t size_bytes() const { return flushed_bytes_ + static_cast<int64_t>(buffer_.size()); }

  /// Flushes file and folder to the disk and gives the file its name. Call once, after the last
  /// write.
  void commit();

  const std::string& path() const { return path_; }
  /// For writers that open the file by name, as HDF5 does; they must be done before commit().
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

/// Removes the temporaries that AtomicFile left in `folder` when its process was killed; those of
/// living processes stay, whichever machine they run on. Returns the names removed. A folder that
/// does not exist has none.
std::vector<std::string> remove_leftovers(const std::string& folder);

/// A file mapped into memory, read only. The file must not shrink meanwhile: files published by
/// rename never do.
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
  /// `size` bytes from `offset`; throws Error, naming the file and `what`, when they are not all
  /// there.
  std::span<const std::byte> slice(uint64_t offset, uint64_t size, std::string_view what) const;

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

}  // namespace bertha::io
