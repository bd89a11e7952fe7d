#include "io/archive/crc32c.h"

#include <gtest/gtest.h>

#include <string>

#include "io/archive/crc32c_state.h"

namespace bertha::io {
namespace {

// The test vectors of RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32c, EqualsThePublishedVectors) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising.push_back(c);
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
}

TEST(Crc32c, ContinuesFromAPreviousCrc) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  EXPECT_EQ(crc32c(text.substr(17), crc32c(text.substr(0, 17))), crc32c(text));
}

TEST(Crc32c, InstructionAndTableAgree) {
  if (__builtin_cpu_supports("avx2") == 0) GTEST_SKIP() << "this processor has no AVX2";
  std::string text;
  for (int i = 0; i < 100; ++i) text.push_back(static_cast<char>(i * i + 7 * i));
  for (size_t begin = 0; begin < 9; ++begin) {
    for (size_t size = 0; size + begin <= text.size(); ++size) {
      const char* from = text.data() + begin;
      EXPECT_EQ(detail::crc32c_by_instruction(from, size, 0x12345678U),
                detail::crc32c_by_table(from, size, 0x12345678U));
    }
  }
}

TEST(Crc32c, MaskRotatesAndAdds) {
  EXPECT_EQ(masked_crc32c(0U), 0xa282ead8U);
  EXPECT_EQ(masked_crc32c(1U), 0x20000U + 0xa282ead8U);
  EXPECT_EQ(masked_crc32c(0x8000U), 1U + 0xa282ead8U);
}

}  // namespace
}  // namespace bertha::io
