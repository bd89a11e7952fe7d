#include "serve/routes/field_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "serve/routes/request_texts.h"
#include "serve/routes/route_table.h"

namespace bertha::serve {
namespace {

struct Inner {
  int64_t step = 128;
  static FieldTable<Inner> fields() {
    FieldTable<Inner> table;
    table.optional("step", &Inner::step, "A step").within(1, 10);
    return table;
  }
};

struct Body {
  std::string text;
  std::vector<std::string> names;
  bool flag = true;
  double share = 0.5;
  std::optional<int64_t> count;
  std::string unit = "bytes";
  Inner inner;

  static FieldTable<Body> fields() {
    FieldTable<Body> table;
    table.required("text", &Body::text, "A text")
        .optional("names", &Body::names, "Names")
        .within(0, 2)
        .optional("flag", &Body::flag, "A flag")
        .optional("share", &Body::share, "A share")
        .optional("count_of_things", &Body::count, "A count")
        .within(0, 5)
        .optional("unit", &Body::unit, "A unit")
        .one_of({"bytes", "characters"})
        .optional("inner", &Body::inner, "More");
    return table;
  }
};

std::string fault_of(std::string_view json, bool strict = true) {
  try {
    read_body<Body>(json, strict);
  } catch (const FieldError& error) {
    return error.what();
  }
  return "";
}

TEST(FieldTable, ReadsEveryField) {
  const Body body = read_body<Body>(
      R"({"text":"a","names":["b","c"],"flag":false,"share":1,"count_of_things":5,
          "unit":"characters","inner":{"step":2.0}})",
      true);
  EXPECT_EQ(body.text, "a");
  EXPECT_EQ(body.names, (std::vector<std::string>{"b", "c"}));
  EXPECT_FALSE(body.flag);
  EXPECT_EQ(body.share, 1);
  EXPECT_EQ(body.count, 5);
  EXPECT_EQ(body.unit, "characters");
  EXPECT_EQ(body.inner.step, 2);
}

TEST(FieldTable, NullIsAsAbsentForAnOptionalField) {
  const Body body = read_body<Body>(R"({"text":"a","flag":null,"inner":null,"names":null})", true);
  EXPECT_TRUE(body.flag);
  EXPECT_EQ(body.inner.step, 128);
}

TEST(FieldTable, MissingOrNullRequiredFieldIsNamed) {
  EXPECT_EQ(fault_of("{}"), "`text` is missing");
  EXPECT_EQ(fault_of(R"({"text":null})"), "`text` must be a string, got null");
}

TEST(FieldTable, WrongTypeNamesThePlace) {
  EXPECT_EQ(fault_of(R"({"text":"a","names":["b",3]})"),
            "`names[1]` must be a string, got a number");
  EXPECT_EQ(fault_of(R"({"text":"a","inner":{"step":"x"}})"),
            "`inner.step` must be a whole number from 1 to 10, got a string");
  EXPECT_EQ(fault_of(R"({"text":"a","flag":1})"), "`flag` must be true or false, got a number");
  EXPECT_EQ(fault_of("[]"), "`body` must be an object");
}

TEST(FieldTable, ValueOutOfBoundsIsRefused) {
  EXPECT_EQ(fault_of(R"({"text":"a","count_of_things":6})"),
            "`count_of_things` must be a whole number from 0 to 5, got 6");
  EXPECT_NE(fault_of(R"({"text":"a","count_of_things":1.5})"), "");
  EXPECT_NE(fault_of(R"({"text":"a","count_of_things":1e300})"), "");
  EXPECT_NE(fault_of(R"({"text":"a","count_of_things":18446744073709551615})"), "");
  EXPECT_EQ(fault_of(R"({"text":"a","names":["a","b","c"]})"),
            "`names` must have a number of elements from 0 to 2, got 3");
  EXPECT_EQ(fault_of(R"({"text":"a","unit":"utf8"})"),
            "`unit` must be one of bytes, characters; got \"utf8\"");
}

TEST(FieldTable, UnknownFieldIsRefusedWithTheNearestNameWhereStrict) {
  EXPECT_EQ(fault_of(R"({"text":"a","count_of_thing":1})"),
            "`count_of_thing` is not a field of this route; did you mean `count_of_things`?");
  EXPECT_EQ(fault_of(R"({"text":"a","inner":{"steps":1}})"),
            "`inner.steps` is not a field of this route; did you mean `step`?");
  EXPECT_EQ(fault_of(R"({"text":"a","zzzzzzzz":1})"), "`zzzzzzzz` is not a field of this route");
}

TEST(FieldTable, UnknownFieldIsIgnoredWhereLenient) {
  EXPECT_EQ(fault_of(R"({"text":"a","user":1,"inner":{"steps":1}})", false), "");
}

TEST(FieldTable, SchemaSaysWhatIsRead) {
  Json schema = fields_of<Body>().schema();
  forbid_unknown(schema);
  EXPECT_EQ(schema["required"], Json::array({"text"}));
  EXPECT_EQ(schema["additionalProperties"], false);
  const Json& fields = schema["properties"];
  EXPECT_EQ(fields["text"], (Json{{"type", "string"}, {"description", "A text"}}));
  EXPECT_EQ(fields["count_of_things"]["minimum"], 0);
  EXPECT_EQ(fields["count_of_things"]["maximum"], 5);
  EXPECT_EQ(fields["names"]["maxItems"], 2);
  EXPECT_EQ(fields["flag"]["default"], true);
  EXPECT_EQ(fields["unit"]["enum"], Json::array({"bytes", "characters", nullptr}));
  EXPECT_EQ(fields["inner"]["additionalProperties"], false);
  EXPECT_EQ(fields["inner"]["properties"]["step"]["default"], 128);
}

template <typename V>
V value_of(std::string_view json) {
  Json value = Json::parse(json);
  return JsonType<V>::read(value, {.path = "x"});
}

TEST(RequestTexts, OneTextOrMany) {
  EXPECT_TRUE(value_of<Texts>(R"("a")").single);
  EXPECT_FALSE(value_of<Texts>(R"(["a"])").single);
  EXPECT_EQ(value_of<Texts>(R"(["a","b"])").items.size(), 2U);
  EXPECT_THROW(value_of<Texts>("3"), FieldError);
  EXPECT_THROW(value_of<Texts>("[3]"), FieldError);
}

TEST(RequestTexts, TextsAndTokenIdsMix) {
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(std::get<Ids>(value_of<TokenTexts>("[1,2]").items.at(0)), (Ids{1, 2}));
  const TokenTexts mixed = value_of<TokenTexts>(R"(["a",[3]])");
  EXPECT_EQ(std::get<std::string>(mixed.items.at(0)), "a");
  EXPECT_EQ(std::get<Ids>(mixed.items.at(1)), (Ids{3}));
  EXPECT_TRUE(value_of<TokenTexts>("[]").items.empty());
  EXPECT_THROW(value_of<TokenTexts>("[1,\"a\"]"), FieldError);
  EXPECT_THROW(value_of<TokenTexts>("[-1]"), FieldError);
  EXPECT_THROW(value_of<TokenTexts>("[2147483648]"), FieldError);
  EXPECT_THROW(value_of<TokenTexts>("[[[1]]]"), FieldError);
}

TEST(RequestTexts, ArrayOfTwoStringsIsOnePair) {
  const TextsOrPairs pair = value_of<TextsOrPairs>(R"(["a","b"])");
  EXPECT_TRUE(pair.single);
  EXPECT_EQ(pair.items.at(0).pair, "b");
  const TextsOrPairs batch = value_of<TextsOrPairs>(R"([["a","b"],["c"]])");
  EXPECT_FALSE(batch.single);
  EXPECT_EQ(batch.items.size(), 2U);
  EXPECT_FALSE(batch.items.at(1).pair.has_value());
  EXPECT_THROW(value_of<TextsOrPairs>(R"(["a","b","c"])"), FieldError);
  EXPECT_THROW(value_of<TextsOrPairs>("[]"), FieldError);
}

TEST(RequestTexts, NamedPairsAndDocuments) {
  EXPECT_EQ(value_of<PairTexts>(R"({"text":"a","text_pair":"b"})").items.at(0).pair, "b");
  EXPECT_EQ(value_of<PairTexts>(R"(["a",{"text":"b"}])").items.size(), 2U);
  EXPECT_THROW(value_of<PairTexts>("[[]]"), FieldError);
  EXPECT_EQ(value_of<Document>(R"({"text":"a","title":"t"})").text, "a");
  EXPECT_THROW(value_of<Document>(R"({"title":"t"})"), FieldError);
}

}  // namespace
}  // namespace bertha::serve
