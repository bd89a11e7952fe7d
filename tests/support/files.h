#pragma once

// Files of tests: temporary folders, whole files as text, and the real data.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "core/error.h"
#include "support/paths.h"

namespace bertha::test {

/// An empty folder that is removed at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bertha-test-XXXXXX").string();
    BERTHA_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// All bytes of a file, or an empty string when it cannot be read.
inline std::string read_all(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Writes a file and creates its parent folders. Removes an old file first, because some file
/// systems flush a file that is truncated and rewritten.
inline void write_all(const std::filesystem::path& path, std::string_view contents) {
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << contents;
}

/// Path of a file or folder of the real data in $BERTHA_DATA, or in ../shared/data beside the
/// repository. Empty when it does not exist; the test is then skipped.
inline std::string real_data(const std::string& name) {
  const char* folder = std::getenv("BERTHA_DATA");
  const std::filesystem::path root = folder != nullptr
                                         ? std::filesystem::path(folder)
                                         : std::filesystem::path(tests_path("../../shared/data"));
  return std::filesystem::exists(root / name) ? (root / name).string() : "";
}

}  // namespace bertha::test
