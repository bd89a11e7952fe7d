#include "tasks/squad/squad_reader.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace bertha::tasks {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_squad(text, "some.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(SquadReader, InvalidFileIsNamedWithThePlace) {
  EXPECT_NE(error_of("{\"data\": [").find("some.json: not JSON: the text ends too early"),
            std::string::npos)
      << error_of("{\"data\": [");
  EXPECT_NE(error_of("").find("some.json"), std::string::npos);
  EXPECT_EQ(error_of("{\"a\": NaN}").find("json.exception"), std::string::npos);
  EXPECT_NE(error_of("<html><body>404").find("some.json: expected JSON; this is a web page"),
            std::string::npos);
  EXPECT_NE(error_of("PAR1\x15\x04").find("this is a Parquet file"), std::string::npos);
  EXPECT_NE(error_of("[]").find("no list \"data\""), std::string::npos);
  EXPECT_NE(error_of("{\"data\": {}}").find("no list \"data\""), std::string::npos);
  EXPECT_EQ(error_of(std::string(1000000, '[')),
            "some.json: not JSON that can be read: more than 256 levels deep at byte 256");
  EXPECT_NE(error_of("\"\\\"" + std::string(300, '[')).find("the text ends too early"),
            std::string::npos);
}

TEST(SquadReader, IncompleteEntriesAreCountedAndNamed) {
  const SquadFile file = parse_squad(
      R"({"data": [7, {"paragraphs": [{"qas": []}, {"context": "c"}, {"context": "d", "qas": [
        {"question": "no id"}, {"id": "a"}, {"id": [3], "question": "id is a list"},
        {"id": "b", "question": "q", "answers": [{"answer_start": 0}, {"text": "t"}]},
        {"id": "b", "question": "again", "answers": 5}]}]}]})",
      "f");
  ASSERT_EQ(file.questions.size(), 2U);
  EXPECT_EQ(file.contexts, std::vector<std::string>{"d"});
  EXPECT_EQ(file.questions[0].paragraph, 0);
  ASSERT_EQ(file.questions[0].answers.size(), 1U);
  EXPECT_EQ(file.questions[0].answers[0].start, -1);
  EXPECT_EQ(file.problems.total(), 8);
  const std::vector<std::string> lines = file.problems.lines();
  EXPECT_EQ(lines[0], "article without a list of paragraphs: 1, the first at data[0]");
  EXPECT_EQ(lines[3], "question without an id: 2, the first at data[1].paragraphs[2].qas[0]");
}

TEST(SquadReader, InvalidUtf8IsReadAsTheReplacementCharacter) {
  const SquadFile file = parse_squad(
      "{\"data\": [{\"paragraphs\": [{\"context\": \"a\xFF"
      "b\xC3\", \"qas\": []}]}]}",
      "f");
  EXPECT_EQ(file.contexts[0],
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(file.problems.lines()[0],
            "byte sequence that is not UTF-8, read as U+FFFD: 2, the first at byte 40");
}

TEST(SquadReader, VersionTwoIsDetected) {
  EXPECT_TRUE(parse_squad(R"({"version": "v2.0", "data": []})", "f").version_2());
  EXPECT_FALSE(parse_squad(R"({"version": "1.1", "data": []})", "f").version_2());
  EXPECT_TRUE(parse_squad(R"({"data": [{"paragraphs": [{"context": "", "qas": [
      {"id": "1", "question": "", "is_impossible": true}]}]}]})",
                          "f")
                  .version_2());
}

TEST(SquadReader, IdsMayBeNumbers) {
  const SquadFile file = parse_squad(
      R"({"data": [{"paragraphs": [{"context": "a b", "qas": [
          {"id": 77, "question": "x ?", "answers": []},
          {"id": -3, "question": "y ?", "answers": []},
          {"id": 18446744073709551615, "question": "z ?", "answers": []},
          {"id": "77", "question": "z ?", "answers": []},
          {"id": 1.5, "question": "z ?", "answers": []}]}]}]})",
      "file");
  ASSERT_EQ(file.questions.size(), 4U);
  EXPECT_EQ(file.questions[0].id, "77");
  EXPECT_EQ(file.questions[1].id, "-3");
  EXPECT_EQ(file.questions[2].id, "18446744073709551615");
  EXPECT_EQ(file.problems.lines().size(), 2U);  // the duplicate, and the fraction
}

}  // namespace
}  // namespace bertha::tasks
