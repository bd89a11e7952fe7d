#include "bert/weights_diff.h"

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::bert {
namespace {

const std::string kEncoder = test::tests_path("cli/fixtures/tiny_encoder");

/// The encoder's weights with the bits of one byte changed, counted from the end of the file.
std::string changed_weights(const test::TemporaryFolder& folder, size_t from_end, char bits) {
  std::string bytes = test::read_all(kEncoder + "/model.safetensors");
  char& byte = bytes[bytes.size() - from_end];
  byte = static_cast<char>(byte ^ bits);
  test::write_all(folder.file("model.safetensors"), bytes);
  return folder.file("model.safetensors");
}

TEST(WeightsDiff, AFileEqualsItself) {
  const WeightsDiff diff = diff_weights(kEncoder, kEncoder + "/model.safetensors");
  EXPECT_TRUE(diff.same());
  EXPECT_EQ(diff.equal, 39);
}

TEST(WeightsDiff, AChangedElementIsCounted) {
  const test::TemporaryFolder folder;
  const WeightsDiff diff = diff_weights(kEncoder, changed_weights(folder, 1, 1));
  ASSERT_EQ(diff.differing.size(), 1U);
  const TensorDifference& tensor = diff.differing[0];
  EXPECT_EQ(tensor.name, "bert.pooler.dense_act.weight");
  EXPECT_TRUE(tensor.comparable());
  EXPECT_EQ(tensor.differing, 1);
  EXPECT_EQ(tensor.elements, 16 * 16);
  EXPECT_GT(tensor.largest.value(), 0);
  EXPECT_GT(tensor.relative.value(), 0);
  EXPECT_EQ(diff.equal, 38);
}

TEST(WeightsDiff, TensorsOfOneFileOnlyAreNamed) {
  const WeightsDiff diff = diff_weights(test::tests_path("parity/recipe_ckpt_2.pt"), kEncoder);
  EXPECT_FALSE(diff.only_left.empty());
  EXPECT_FALSE(diff.only_right.empty());
  EXPECT_FALSE(diff.same());
}

TEST(WeightsDiff, TensorsOfATypeThatIsNotConvertedAreNamed) {
  const test::TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& type) {
    const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                               R"("b":{"dtype":")" +
                               type + R"(","shape":[2],"data_offsets":[4,8]}})";
    const uint64_t size = header.size();
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
    test::write_all(folder.file(name), bytes + header + std::string(8, '\1'));
    return folder.file(name);
  };
  const WeightsDiff diff =
      diff_weights(write("1.safetensors", "I16"), write("2.safetensors", "BF16"));
  EXPECT_EQ(diff.equal, 1);
  ASSERT_EQ(diff.differing.size(), 1U);
  EXPECT_EQ(diff.differing[0].types, std::pair(std::string("I16"), std::string("bf16")));
  EXPECT_FALSE(diff.same());
}

TEST(WeightsDiff, AMissingFileIsAnError) {
  EXPECT_THROW(diff_weights(kEncoder, "/no/such/file"), Error);
}

}  // namespace
}  // namespace bertha::bert
