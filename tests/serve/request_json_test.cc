#include "serve/routes/request_json.h"

#include <gtest/gtest.h>

#include <string>

namespace bertha::serve {
namespace {

std::string fault_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_request_json(text, limits);
  } catch (const JsonError& error) {
    return error.what();
  }
  return "";
}

TEST(RequestJson, ValuesEqualThoseOfTheLibrary) {
  const std::string text =
      R"({"a":[1,-2,3.5,true,null,"\u00e9\ud83d\ude00",{"b":{}}],"c":"","d":[],"e":18446744073709551615})";
  EXPECT_EQ(parse_request_json(text), Json::parse(text));
  EXPECT_EQ(parse_request_json(" 7 "), Json(7));
}

TEST(RequestJson, ControlCharactersInEscapesPass) {
  EXPECT_EQ(parse_request_json(R"("\u0000\u0001")"), Json(std::string("\0\1", 2)));
}

TEST(RequestJson, BrokenSyntaxNamesTheByteAndNotTheText) {
  const std::string fault = fault_of(R"({"secret": tru})");
  EXPECT_NE(fault.find("byte 15"), std::string::npos) << fault;
  EXPECT_EQ(fault.find("secret"), std::string::npos) << fault;
}

TEST(RequestJson, WhatIsNotJsonIsRefused) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1} x", "nul", "'a'", "{a:1}", "NaN", "[1 2]",
                           "01", "\"\n\"", "// comment\n1", "\"\\x\""}) {
    EXPECT_NE(fault_of(text), "") << text;
  }
}

TEST(RequestJson, TextThatIsNotUtf8IsRefused) {
  EXPECT_NE(fault_of("{\"a\":\"\xff\"}"), "");
  EXPECT_NE(fault_of("{\"a\":\"\xc0\xaf\"}"), "");
  EXPECT_NE(fault_of("{\"a\":\"\xed\xa0\x80\"}"), "");
}

TEST(RequestJson, HalfASurrogatePairIsRefused) {
  EXPECT_NE(fault_of(R"({"a":"\ud800"})"), "");
  EXPECT_NE(fault_of(R"({"a":"\ud800x"})"), "");
  EXPECT_NE(fault_of(R"({"a":"\udc00"})"), "");
}

TEST(RequestJson, RepeatedKeyIsRefused) {
  EXPECT_NE(fault_of(R"({"a":1,"b":{"a":2},"a":3})").find("\"a\" is given twice"),
            std::string::npos);
  EXPECT_EQ(fault_of(R"([{"a":1},{"a":2}])"), "");
}

TEST(RequestJson, NumberBeyondDoubleIsRefused) {
  EXPECT_NE(fault_of("1e999"), "");
  EXPECT_EQ(fault_of("1e308"), "");
}

TEST(RequestJson, DepthIsBounded) {
  EXPECT_EQ(fault_of(std::string(16, '[') + std::string(16, ']')), "");
  EXPECT_NE(fault_of(std::string(17, '[') + std::string(17, ']')).find("deeper"),
            std::string::npos);
  EXPECT_NE(fault_of(std::string(100'000, '[')), "");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_NE(fault_of(objects), "");
}

TEST(RequestJson, NumberOfValuesIsBounded) {
  EXPECT_EQ(fault_of("[1,2,3]", {.values = 4}), "");
  EXPECT_NE(fault_of("[1,2,3]", {.values = 3}), "");
  EXPECT_NE(fault_of("[{},{},[]]", {.values = 3}), "");
}

TEST(RequestJson, LongNameIsCutBetweenCharacters) {
  const std::string name = std::string(63, 'a') + "é";
  EXPECT_EQ(shown_name(name), std::string(63, 'a') + "…");
  EXPECT_EQ(shown_name("abc"), "abc");
}

}  // namespace
}  // namespace bertha::serve
