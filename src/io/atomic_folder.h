#pragma once

#include <string>

namespace bertha::io {

/// A folder that appears under its name at commit(), with all of its files, or not at all.
class AtomicFolder {
 public:
  /// Makes `path`.tmp-<process> beside the target. Throws Error when `path` exists and is not an
  /// empty folder.
  explicit AtomicFolder(std::string path);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  /// Removes the folder and what is in it unless commit() was reached.
  ~AtomicFolder();

  /// Where files are written, each flushed to the disk by its writer.
  const std::string& temporary_path() const { return temporary_path_; }
  /// Gives the folder its name.
  void commit();

 private:
  std::string path_;
  std::string temporary_path_;
};

/// Makes a folder and the folders above it. A folder that exists already is no error, and "" is the
/// current one. Throws Error.
void make_folder(const std::string& path);

}  // namespace bertha::io
