#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace bertha::test {

/// Path of a file of the real data sets: in $BERTHA_DATA, else in ../shared/data beside the
/// repository. Empty when it is not there: the test is then skipped.
inline std::string real_data(const std::string& name) {
  const char* folder = std::getenv("BERTHA_DATA");
  const std::filesystem::path root =
      folder != nullptr ? std::filesystem::path(folder)
                        : std::filesystem::path(BERTHA_TESTS_DIR) / "../../shared/data";
  return std::filesystem::exists(root / name) ? (root / name).string() : "";
}

}  // namespace bertha::test
