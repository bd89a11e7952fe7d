#pragma once

#include <gtest/gtest.h>

#include <bzlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace bertha::test {

/// The folder of real data ($BERTHA_DATA, else beside the repository), or "" where there is none.
inline std::string data_folder() {
  const char* set = std::getenv("BERTHA_DATA");
  const std::string folder = set != nullptr ? set : BERTHA_TESTS_DIR "/../../shared/data";
  return std::filesystem::is_directory(folder) ? folder : "";
}

/// An empty folder that goes with the test.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "bertha-corpus-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put(const std::string& path, std::string_view contents) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << contents;
}

/// One bzip2 stream with blocks of 100 kB.
inline std::string bzip2(std::string text) {
  std::string out(text.size() + text.size() / 50 + 1000, '\0');
  auto size = static_cast<unsigned>(out.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, text.data(),
                                     static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

/// Text that does not compress to nothing: numbers of a linear congruence.
inline std::string noise(size_t bytes) {
  std::string text;
  for (uint32_t state = 1; text.size() < bytes;) {
    state = state * 1664525 + 1013904223;
    text += std::to_string(state >> 8) + " ";
  }
  text.resize(bytes);
  return text;
}

}  // namespace bertha::test
