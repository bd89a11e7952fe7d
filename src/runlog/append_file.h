#pragma once

// A file of records that grows during a run. Each record is one write to the system, so that a run
// that is killed leaves whole records, and a reader that follows the file sees whole records.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace bertha::runlog {

class AppendFile {
 public:
  /// Opens the file, or creates it and the folders above it. What it holds already stays: records
  /// are added behind. Throws Error that names the path.
  explicit AppendFile(std::filesystem::path path);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// Adds a record. It is in the hands of the operating system when this returns. Throws Error.
  void write(std::string_view record);
  /// False where the last byte of the file is not a line end: a writer was interrupted.
  bool ends_a_line() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// The first line of a file, without its end; empty where there is none.
std::string first_line(const std::string& path);

/// Opens the file of lines of an earlier run, or a new one. It is rewritten with `header` as its
/// first line and with those of its lines for which `keep` is true. New records follow.
std::unique_ptr<AppendFile> continue_lines(const std::string& path, const std::string& header,
                                           const std::function<bool(const std::string&)>& keep);

}  // namespace bertha::runlog
