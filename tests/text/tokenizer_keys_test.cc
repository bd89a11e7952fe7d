#include "text/tokenizer_keys.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "support/files.h"
#include "support/paths.h"

namespace bertha::text {
namespace {

TEST(TokenizerKeys, ReferencePageIsThatOfTheTable) {
  EXPECT_EQ(test::read_all(test::tests_path("../docs/reference/tokenizer-files.md")),
            tokenizer_keys_page())
      << "bertha tokenize --list-keys > docs/reference/tokenizer-files.md";
}

TEST(TokenizerKeys, RowsAreUniqueAndRefusalsAreListsOfValues) {
  std::set<std::string> seen;
  for (const TokenizerKey& key : tokenizer_keys()) {
    EXPECT_TRUE(seen.insert(std::string(key.file) + "/" + key.object + "/" + key.key).second)
        << key.key;
    if (key.action != TokenizerKey::Action::kRefused) continue;
    EXPECT_TRUE(nlohmann::json::parse(key.text).is_array()) << key.key;
  }
}

TEST(TokenizerKeys, SupportedTypesComeFromTheTable) {
  EXPECT_EQ(supported_types("model"), "WordPiece");
  EXPECT_TRUE(is_supported_type("normalizer", "NFKC"));
  EXPECT_FALSE(is_supported_type("normalizer", "NFKC_Casefold"));
  EXPECT_FALSE(is_supported_type("normalizer", ""));
}

}  // namespace
}  // namespace bertha::text
