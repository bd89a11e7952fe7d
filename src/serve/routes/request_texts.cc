#include "serve/routes/request_texts.h"

#include <utility>
#include <variant>

#include "serve/routes/json_schema.h"

namespace bertha::serve {
namespace {

/// A text, or an array of one text or two.
ClassifyInput read_pair(Json& value, const FieldPlace& place) {
  if (value.is_string()) return {.text = JsonType<std::string>::read(value, place)};
  auto texts = JsonType<std::vector<std::string>>::read(value, place);
  if (texts.empty() || texts.size() > 2) place.refuse("must have one text or two");
  ClassifyInput input{.text = std::move(texts[0])};
  if (texts.size() == 2) input.pair = std::move(texts[1]);
  return input;
}

struct NamedPair {
  std::string text;
  std::optional<std::string> text_pair;

  static FieldTable<NamedPair> fields() {
    FieldTable<NamedPair> table;
    table.required("text", &NamedPair::text, "The text")
        .optional("text_pair", &NamedPair::text_pair, "The second text of a pair");
    return table;
  }
};

ClassifyInput read_named_pair(Json& value, const FieldPlace& place) {
  if (value.is_string()) return {.text = JsonType<std::string>::read(value, place)};
  if (!value.is_object()) place.refuse_type("a string or an object with a member `text`", value);
  NamedPair pair = fields_of<NamedPair>().read(value, place);
  return {.text = std::move(pair.text), .pair = std::move(pair.text_pair)};
}

}  // namespace

Texts JsonType<Texts>::read(Json& value, const FieldPlace& place) {
  Texts texts{.single = value.is_string()};
  if (texts.single) {
    texts.items.push_back(JsonType<std::string>::read(value, place));
  } else if (value.is_array()) {
    texts.items = JsonType<std::vector<std::string>>::read(value, place);
  } else {
    place.refuse_type("a string or an array of strings", value);
  }
  return texts;
}

Json JsonType<Texts>::schema(const FieldBounds& bounds) {
  return schema::any_of({schema::string(), JsonType<std::vector<std::string>>::schema(bounds)});
}

TokenTexts JsonType<TokenTexts>::read(Json& value, const FieldPlace& place) {
  if (value.is_string()) {
    return {.items = {JsonType<std::string>::read(value, place)}, .single = true};
  }
  if (!value.is_array()) place.refuse_type("a string or an array", value);
  if (!value.empty() && value.front().is_number()) {
    return {.items = {JsonType<std::vector<int32_t>>::read(value, place)}, .single = true};
  }
  TokenTexts texts;
  texts.items.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    const FieldPlace at = place.element(i);
    if (value[i].is_array()) {
      texts.items.emplace_back(JsonType<std::vector<int32_t>>::read(value[i], at));
    } else {
      texts.items.emplace_back(JsonType<std::string>::read(value[i], at));
    }
  }
  return texts;
}

Json JsonType<TokenTexts>::schema(const FieldBounds& /*bounds*/) {
  const Json ids = JsonType<std::vector<int32_t>>::schema({});
  return schema::any_of(
      {schema::string(), ids, schema::array(schema::any_of({schema::string(), ids}))});
}

IdLists JsonType<IdLists>::read(Json& value, const FieldPlace& place) {
  check_array(value, place);
  if (!value.empty() && value.front().is_array()) {
    return {JsonType<std::vector<std::vector<int32_t>>>::read(value, place)};
  }
  return {{JsonType<std::vector<int32_t>>::read(value, place)}};
}

Json JsonType<IdLists>::schema(const FieldBounds& /*bounds*/) {
  const Json ids = JsonType<std::vector<int32_t>>::schema({});
  return schema::any_of({ids, schema::array(ids)});
}

TextsOrPairs JsonType<TextsOrPairs>::read(Json& value, const FieldPlace& place) {
  const bool batch = value.is_array() && !value.empty() && value.front().is_array();
  if (!batch) return {.items = {read_pair(value, place)}};
  TextsOrPairs inputs{.single = false};
  for (size_t i = 0; i < value.size(); ++i) {
    inputs.items.push_back(read_pair(value[i], place.element(i)));
  }
  return inputs;
}

Json JsonType<TextsOrPairs>::schema(const FieldBounds& /*bounds*/) {
  const Json pair = JsonType<std::vector<std::string>>::schema({.least = 1, .most = 2});
  return schema::any_of({schema::string(), pair, schema::array(pair)});
}

PairTexts JsonType<PairTexts>::read(Json& value, const FieldPlace& place) {
  if (!value.is_array()) return {{read_named_pair(value, place)}};
  PairTexts texts;
  for (size_t i = 0; i < value.size(); ++i) {
    texts.items.push_back(read_named_pair(value[i], place.element(i)));
  }
  return texts;
}

Json JsonType<PairTexts>::schema(const FieldBounds& /*bounds*/) {
  const Json one = schema::any_of({schema::string(), fields_of<NamedPair>().schema()});
  return schema::any_of({one, schema::array(one)});
}

int32_t JsonType<int32_t>::read(Json& value, const FieldPlace& place) {
  static const FieldBounds kIds{.least = 0, .most = std::numeric_limits<int32_t>::max()};
  FieldPlace at = place;
  at.bounds = &kIds;
  return static_cast<int32_t>(JsonType<int64_t>::read(value, at));
}

Json JsonType<int32_t>::schema(const FieldBounds& /*bounds*/) {
  return JsonType<int64_t>::schema({.least = 0, .most = std::numeric_limits<int32_t>::max()});
}

Document JsonType<Document>::read(Json& value, const FieldPlace& place) {
  if (value.is_string()) return {JsonType<std::string>::read(value, place)};
  const bool has_text = value.is_object() && value.contains("text");
  if (!has_text) place.refuse_type("a string or an object with a member `text`", value);
  return {JsonType<std::string>::read(value["text"], place)};
}

Json JsonType<Document>::schema(const FieldBounds& /*bounds*/) {
  return schema::any_of({schema::string(), schema::object({{"text", schema::string()}})});
}

Truncation TruncationFields::truncation() const {
  return {.allowed = truncate.value_or(true),
          .from_left = direction == "left" || direction == "Left"};
}

}  // namespace bertha::serve
