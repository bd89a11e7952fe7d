// Each target of fuzz/ over its corpus, without libFuzzer: the inputs that reach most of a parser,
// and those that once broke one.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/files.h"

// The targets, FUZZ_TARGET(name) for each; CMake writes the list.
#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace bertha::test {
namespace {

namespace fs = std::filesystem;

struct FuzzTarget {
  const char* name;
  int (*run)(const uint8_t* data, size_t size);
};

#define FUZZ_TARGET(name) FuzzTarget{#name, fuzz_##name},
const std::array kTargets = {
#include "fuzz_targets.inc"
};
#undef FUZZ_TARGET

std::string current_input;  // a target aborts where an expectation fails

void name_input(int signal) {
  static_cast<void>(!::write(STDERR_FILENO, current_input.data(), current_input.size()));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

class Corpora : public testing::TestWithParam<FuzzTarget> {};

TEST_P(Corpora, AllInputsEndAsTheTargetExpects) {
  const fs::path folder = tests_path(std::string("../fuzz/corpus/") + GetParam().name);
  ASSERT_TRUE(fs::is_directory(folder)) << folder << ": each target has a corpus";
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(folder)) inputs.push_back(entry.path());
  std::sort(inputs.begin(), inputs.end());
  ASSERT_FALSE(inputs.empty());
  std::signal(SIGABRT, name_input);
  for (const fs::path& input : inputs) {
    current_input = "input: " + input.string() + "\n";
    const std::string bytes = read_all(input);
    EXPECT_EQ(GetParam().run(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0);
  }
  std::signal(SIGABRT, SIG_DFL);
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpora, testing::ValuesIn(kTargets),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace bertha::test
