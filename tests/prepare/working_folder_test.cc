#include "prepare/working_folder.h"

#include <gtest/gtest.h>

#include <string>

#include "support/files.h"

namespace bertha::prepare {
namespace {

TEST(WorkingFolder, ShardsAreNamedByTheCasingThatTheVocabularyDecides) {
  const test::TemporaryFolder folder;
  const std::string special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  std::string cased = special;
  std::string uncased = special;
  for (char c = 'a'; c <= 'z'; ++c) {
    uncased += std::string(1, c) + "\n" + std::string(2, c) + "\n";
    cased += std::string(1, c) + "\n" + static_cast<char>(c - 'a' + 'A') + "\n";
  }
  test::write_all(folder.file("cased.txt"), cased);
  test::write_all(folder.file("uncased.txt"), uncased);
  for (const int64_t option : {0, 1}) {
    PipelineSettings settings;
    settings.root = folder.file("");
    settings.lower_case = option;
    const auto name = [&](const std::string& vocabulary) {
      settings.vocab_file = folder.file(vocabulary);
      return WorkingFolder(settings).hdf5_name({128, 20}).substr(0, 18);
    };
    EXPECT_EQ(name("cased.txt"), "hdf5_lower_case_0_");
    EXPECT_EQ(name("uncased.txt"), "hdf5_lower_case_1_");
    EXPECT_EQ(name("none.txt"), "hdf5_lower_case_" + std::to_string(option) + "_");
  }
}

}  // namespace
}  // namespace bertha::prepare
