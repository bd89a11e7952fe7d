#pragma once

// A file of records that grows while a run lasts. Each record goes out in one write, so a run that
// is killed leaves whole records, and a reader that follows the file sees no half one.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace bertha::runlog {

class AppendFile {
 public:
  enum class Start {
    kEmpty,     ///< what the file held before is dropped
    kContinue,  ///< records are added after what is there
  };

  /// Creates the file and the folders above it. Throws Error that names the path.
  AppendFile(std::filesystem::path path, Start start);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// Adds a record; it is with the operating system when this returns. Throws Error.
  void write(std::string_view record);
  /// False when the file holds bytes and the last one is not a line end: a writer was cut off.
  bool ends_a_line() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A file of lines that an earlier run began: it is rewritten with `header` and those of its lines
/// for which `keep` is true, and goes on from there.
std::unique_ptr<AppendFile> continue_lines(const std::string& path, const std::string& header,
                                           const std::function<bool(const std::string&)>& keep);

}  // namespace bertha::runlog
