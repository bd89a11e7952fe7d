#include "serve/routes/json_writer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bertha::serve {
namespace {

TEST(JsonWriter, PlacesCommasBetweenValues) {
  JsonWriter json;
  json.begin_object()
      .key("a")
      .begin_array()
      .whole(1)
      .null()
      .boolean(true)
      .begin_array()
      .end_array();
  json.begin_object().end_object().end_array().key("b").string("x").end_object();
  EXPECT_EQ(json.take(), R"({"a":[1,null,true,[],{}],"b":"x"})");
}

TEST(JsonWriter, FloatIsTheShortestThatReadsBack) {
  const auto text = [](float value) { return JsonWriter().number(value).take(); };
  EXPECT_EQ(text(0.1F), "0.1");
  EXPECT_EQ(text(1.0F), "1.0");
  EXPECT_EQ(text(-0.0F), "-0.0");
  EXPECT_EQ(text(16777216.0F), "16777216.0");
  EXPECT_EQ(text(1e-20F), "1e-20");
  for (uint32_t bits = 1; bits < 0x7f800000; bits += 1'234'567) {
    const auto value = std::bit_cast<float>(bits);
    EXPECT_EQ(std::strtof(text(value).c_str(), nullptr), value) << bits;
    EXPECT_TRUE(nlohmann::json::parse(text(value)).is_number_float()) << text(value);
  }
}

TEST(JsonWriter, ValueThatIsNotFiniteIsAnError) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  EXPECT_THROW(JsonWriter().number(nan), NotFinite);
  EXPECT_THROW(JsonWriter().number(double{infinite}), NotFinite);
  EXPECT_THROW(JsonWriter().numbers(std::vector{1.0F, -infinite}), NotFinite);
  EXPECT_THROW(base64(std::vector{nan}), NotFinite);
}

TEST(JsonWriter, StringReadsBackEqual) {
  std::string text = "\"\\/é😀\u2028\x7f";
  for (char c = 0; c < 0x20; ++c) text += c;
  const std::string written = JsonWriter().string(text).take();
  EXPECT_EQ(nlohmann::json::parse(written).get<std::string>(), text);
  EXPECT_EQ(JsonWriter().string("a\"b\n").take(), R"("a\"b\n")");
}

TEST(Base64, PadsAsRfc4648Shows) {
  const auto encoded = [](std::string_view text) {
    return base64(std::as_bytes(std::span(text.data(), text.size())));
  };
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foob"), "Zm9vYg==");
  EXPECT_EQ(encoded("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xfb\xff"), "+/8=");
}

TEST(Base64, FloatsAreLittleEndian) {
  EXPECT_EQ(base64(std::vector{1.0F, -2.5F}), "AACAPwAAIMA=");
}

}  // namespace
}  // namespace bertha::serve
