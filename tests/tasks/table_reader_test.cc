// Tables against pandas (fixtures/make_tables.py), and what it does not decide.

#include "tasks/table/table_reader.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "support/paths.h"

namespace bertha::tasks {
namespace {

using nlohmann::json;

json fixtures() {
  std::ifstream file(test::tests_path("tasks/fixtures/tables.json"));
  return json::parse(file);
}

/// The rows of a table as JSON: null for an absent field.
json rows_of(const Table& table) {
  json rows = json::array();
  for (const TableRow& row : table.rows) {
    json fields = json::array();
    for (const std::string_view field : row.fields) {
      fields.push_back(field.data() == nullptr ? json() : json(field));
    }
    rows.push_back(fields);
  }
  return rows;
}

/// The rows with columns in the order of `names`.
json in_order(const json& rows, const std::vector<std::string>& header, const json& names) {
  json result = json::array();
  for (const json& row : rows) {
    json fields = json::array();
    for (const json& name : names) {
      const auto found = std::find(header.begin(), header.end(), name.get<std::string>());
      fields.push_back(found == header.end() ? json()
                                             : row[static_cast<size_t>(found - header.begin())]);
    }
    result.push_back(fields);
  }
  return result;
}

std::string error_of(const std::string& text, const std::string& path) {
  try {
    parse_table(text, path, true);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TableReader, EveryTableIsReadAsPandasReadsIt) {
  for (const json& expected : fixtures()["tables"]) {
    const auto text = expected["text"].get<std::string>();
    const auto name = expected["name"].get<std::string>();
    const Table table = parse_table(text, name, true);
    EXPECT_EQ(table.header.size(), expected["columns"].size()) << name;
    EXPECT_EQ(in_order(rows_of(table), table.header, expected["columns"]), expected["rows"])
        << name << ": " << text;
    EXPECT_TRUE(table.problems.empty()) << name << ": " << table.problems.lines()[0];
  }
}

TEST(TableReader, RowWithAnotherNumberOfFieldsIsLeftOutAndKeepsItsNumber) {
  const Table table = parse_table("a\tb\n1\t2\n3\n\n4\t5\t6\n7\t8\n", "t.tsv", true);
  EXPECT_EQ(rows_of(table), json::parse(R"([["1", "2"], ["7", "8"]])"));
  EXPECT_EQ(table.rows[1].number, 3);
  EXPECT_EQ(table.place(table.rows[1]), "line 6");
  EXPECT_EQ(
      table.problems.lines(),
      (std::vector<std::string>{
          "row with fewer than the 2 fields of the header, left out: 1, the first at line 3",
          "row with more than the 2 fields of the header, left out: 1, the first at line 5"}));
}

TEST(TableReader, WithoutAHeaderTheFirstRowCountsTheFields) {
  const Table table = parse_table("1,x\t2\n3\t4\n5\n", "t.tsv", false);
  EXPECT_TRUE(table.header.empty());
  EXPECT_EQ(rows_of(table), json::parse(R"([["1,x", "2"], ["3", "4"]])"));
  EXPECT_EQ(table.problems.total(), 1);
}

TEST(TableReader, FormatIsSeenWhereTheEndingDoesNotTellIt) {
  const auto format_of = [](const std::string& text, const std::string& path) {
    return parse_table(text, path, true).format;
  };
  EXPECT_EQ(format_of("sentence,label\na,1\n", "train.txt"), TableFormat::kCsv);
  EXPECT_EQ(format_of("sentence,label\na,1\n", "train.tsv"), TableFormat::kCsv);
  EXPECT_EQ(format_of("sentence\tlabel\na, b\t1\n", "train"), TableFormat::kTsv);
  EXPECT_EQ(format_of("sentence\na, b\n", "train.tsv"), TableFormat::kTsv);
  EXPECT_EQ(format_of("{\"text\": \"a\"}\n{\"text\": \"b\"}\n", "train.txt"),
            TableFormat::kJsonLines);
  EXPECT_EQ(format_of("[{\"text\": \"a\"}]", "train.tsv"), TableFormat::kJson);
  EXPECT_EQ(format_of("a;b\n1;2\n", "train.CSV.gz"), TableFormat::kCsv);
  EXPECT_EQ(parse_table("a;b\n1;2\n", "t.csv", true).notes,
            std::vector<std::string>{"its fields are separated by \";\""});
  EXPECT_EQ(parse_table("a,b\n1,2\n", "t.tsv", true).notes,
            std::vector<std::string>{"its header has no tab: it is read as CSV"});
}

TEST(TableReader, WhatIsNoTableIsNamedWithItsPlace) {
  EXPECT_EQ(error_of("a,b\n1,2\n\"x,3\n4,5\n", "t.csv"), "t.csv: line 3: a quote without end");
  EXPECT_NE(error_of("{\"a\": 1}\n{\"a\": }\n", "t.jsonl").find("t.jsonl: line 2: not JSON"),
            std::string::npos);
  EXPECT_NE(error_of("a,b\n", "t.json").find("t.json: expected JSON"), std::string::npos);
  EXPECT_NE(error_of("{\"a\": {\"b\": [1]}, \n\"c\": 2}", "t.json").find("expected a JSON array"),
            std::string::npos);
  const Table table = parse_table("[{\"a\": 1}, 5, {\"a\": 2}]", "t.json", true);
  EXPECT_EQ(table.problems.lines()[0],
            "row that is no JSON object, left out: 1, the first at row 2");
  EXPECT_EQ(table.rows[1].number, 2);
}

TEST(TableReader, DeeplyNestedJsonIsRefusedInOneLine) {
  const std::string deep(10000, '[');
  for (const char* name : {"t.json", "t.jsonl", "t.tsv"}) {
    const std::string line = "{\"text\": \"a\", \"label\": " + deep;
    const std::string error = error_of(name == std::string("t.tsv") ? line : line + "\n", name);
    EXPECT_EQ(error.find('\n'), std::string::npos);
    if (name != std::string("t.tsv")) {
      EXPECT_NE(error.find("256 levels deep"), std::string::npos) << name << ": " << error;
    }
  }
  EXPECT_NE(error_of(deep, "t.json").find("256 levels deep"), std::string::npos);
}

TEST(TableReader, ListsOfJsonAreKeptBesideTheFields) {
  const Table table = parse_table(
      R"([{"a": ["x", 1, true], "b": []}, {"a": [["x"]], "b": [null]}])", "t.json", true);
  ASSERT_EQ(table.rows[0].lists.size(), 2U);
  EXPECT_EQ(table.rows[0].lists[0].items, (std::vector<std::string_view>{"x", "1", "true"}));
  EXPECT_EQ(table.rows[0].fields[0].data(), nullptr);
  EXPECT_TRUE(table.rows[0].lists[1].items.empty());
  EXPECT_TRUE(table.rows[1].lists.empty()) << "lists of lists and of null are no lists of values";
}

TEST(TableReader, EmptyTextHasNoRows) {
  for (const char* name : {"t.tsv", "t.csv", "t.txt"}) {
    EXPECT_TRUE(parse_table("", name, true).rows.empty());
    EXPECT_TRUE(parse_table("\n\r\n", name, false).rows.empty());
  }
}

}  // namespace
}  // namespace bertha::tasks
