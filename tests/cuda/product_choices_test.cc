#include "backend/cuda/product_choices.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/error.h"
#include "support/files.h"

namespace bertha::cuda {
namespace {

class ProductChoicesTest : public testing::Test {
 protected:
  std::string path() const { return (folder_.path() / "plans").string(); }
  test::TemporaryFolder folder_;
};

TEST_F(ProductChoicesTest, WithoutAPathNothingIsMeasured) {
  const ProductChoices none("");
  EXPECT_FALSE(none.measures());
  EXPECT_FALSE(none.find("a"));
}

TEST_F(ProductChoicesTest, ChoicesOutliveTheProcess) {
  {
    ProductChoices first(path());
    EXPECT_TRUE(first.measures());
    first.add("H100;TN:8x8x8", 3);
    EXPECT_EQ(first.find("H100;TN:8x8x8"), 3);
  }
  const ProductChoices second(path());
  EXPECT_TRUE(second.measures());
  EXPECT_EQ(second.find("H100;TN:8x8x8"), 3);
  EXPECT_FALSE(second.find("H100;TN:8x8x16"));
}

TEST_F(ProductChoicesTest, OfRanksThatShareAFileOneMeasures) {
  auto first = std::make_unique<ProductChoices>(path());
  const ProductChoices second(path());
  EXPECT_TRUE(first->measures());
  EXPECT_FALSE(second.measures());
  first->add("a", 1);
  EXPECT_FALSE(second.find("a")) << "what a rank takes would depend on time";
  EXPECT_EQ(test::read_all(path()), "a 1\n");
  first.reset();
  const ProductChoices next(path());
  EXPECT_TRUE(next.measures());
  EXPECT_EQ(next.find("a"), 1);
}

TEST_F(ProductChoicesTest, AFaultyFileIsNamed) {
  test::write_all(path(), "a 1\nb\n");
  try {
    const ProductChoices read(path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("plans:2: expected"), std::string::npos);
  }
  EXPECT_THROW(ProductChoices("/nonexistent/plans"), Error);
}

}  // namespace
}  // namespace bertha::cuda
