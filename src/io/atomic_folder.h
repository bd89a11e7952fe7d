#pragma once

#include <string>

namespace bertha::io {

/// A folder that gets its name at commit(): it appears with all of its files or not at all.
class AtomicFolder {
 public:
  /// Creates `path`.tmp-<process> beside the target. Throws Error when `path` exists and is not an
  /// empty folder.
  explicit AtomicFolder(std::string path);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  /// Removes the folder and its contents unless commit() succeeded.
  ~AtomicFolder();

  /// The folder to write files into. The writer of each file flushes it to the disk.
  const std::string& temporary_path() const { return temporary_path_; }
  /// Renames the folder to its final name.
  void commit();

 private:
  std::string path_;
  std::string temporary_path_;
};

/// Makes a folder and the folders above it. A folder that exists already is no error, and "" is the
/// current one. Throws Error.
void make_folder(const std::string& path);

}  // namespace bertha::io
