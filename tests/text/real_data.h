#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace bertha::test {

/// The folder of real data ($BERTHA_DATA, else beside the repository), or "" where there is none.
inline std::string data_folder() {
  const char* set = std::getenv("BERTHA_DATA");
  const std::string folder = set != nullptr ? set : BERTHA_TESTS_DIR "/../../shared/data";
  return std::filesystem::is_directory(folder) ? folder : "";
}

inline std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

inline std::string fixture(const std::string& name) {
  return BERTHA_TESTS_DIR "/text/fixtures/" + name;
}

}  // namespace bertha::test
