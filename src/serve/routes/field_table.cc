#include "serve/routes/field_table.h"

#include <algorithm>

#include "core/nearest_name.h"
#include "core/strings.h"

namespace bertha::serve {
namespace {

constexpr FieldBounds kNoBounds{};

/// Whole numbers arrive as "3" and, from JavaScript and R, as "3.0".
std::optional<int64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > uint64_t{std::numeric_limits<int64_t>::max()}) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  constexpr double kMostExact = 9007199254740992;  // 2^53
  const auto number = value.get<double>();
  if (number < -kMostExact || number > kMostExact) return std::nullopt;
  const auto whole = static_cast<int64_t>(number);
  return static_cast<double>(whole) == number ? std::optional(whole) : std::nullopt;
}

std::string range_text(const FieldBounds& bounds) {
  const bool low = bounds.least != kNoBounds.least;
  const bool high = bounds.most != kNoBounds.most;
  if (low && high) return fmt::format(" from {} to {}", bounds.least, bounds.most);
  if (low) return fmt::format(" of at least {}", bounds.least);
  return high ? fmt::format(" of at most {}", bounds.most) : "";
}

const FieldBounds& bounds_of(const FieldPlace& place) {
  return place.bounds == nullptr ? kNoBounds : *place.bounds;
}

}  // namespace

void FieldPlace::refuse_type(std::string_view expected, const Json& value) const {
  refuse(fmt::format("must be {}, got {}", expected, kind_of(value)));
}

FieldPlace FieldPlace::member(std::string_view name, const FieldBounds& of) const {
  return {.path = path.empty() ? std::string(name) : fmt::format("{}.{}", path, name),
          .strict = strict,
          .bounds = &of};
}

FieldPlace FieldPlace::element(size_t index) const {
  return {.path = fmt::format("{}[{}]", path, index), .strict = strict};
}

void refuse_unknown(const Json& object, const std::vector<FieldInfo>& known,
                    const FieldPlace& place) {
  for (const auto& item : object.items()) {
    if (std::ranges::any_of(known, [&](const FieldInfo& f) { return f.name == item.key(); })) {
      continue;
    }
    std::vector<std::string> names;
    for (const FieldInfo& field : known) names.push_back(kebab_case(field.name));
    std::string nearest = nearest_name(item.key(), names);
    std::ranges::replace(nearest, '-', '_');
    const std::string hint = nearest.empty() ? "" : fmt::format("; did you mean `{}`?", nearest);
    place.member(shown_name(item.key()), kNoBounds).refuse("is not a field of this route" + hint);
  }
}

Json or_null(Json schema) {
  if (!schema.contains("type"))
    return schema.empty() ? schema : Json{{"anyOf", {schema, {{"type", "null"}}}}};
  schema["type"] = Json::array({schema["type"], "null"});
  if (schema.contains("enum")) schema["enum"].push_back(nullptr);
  return schema;
}

Json object_schema(const std::vector<FieldInfo>& fields, std::vector<Json> types) {
  Json properties = Json::object();
  Json required = Json::array();
  for (size_t i = 0; i < fields.size(); ++i) {
    Json type = fields[i].required ? std::move(types[i]) : or_null(std::move(types[i]));
    type["description"] = fields[i].note;
    if (!fields[i].preset.is_null()) type["default"] = fields[i].preset;
    if (fields[i].required) required.push_back(fields[i].name);
    properties[fields[i].name] = std::move(type);
  }
  Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

bool JsonType<bool>::read(Json& value, const FieldPlace& place) {
  if (!value.is_boolean()) place.refuse_type("true or false", value);
  return value.get<bool>();
}

Json JsonType<bool>::schema(const FieldBounds& /*bounds*/) {
  return {{"type", "boolean"}};
}

int64_t JsonType<int64_t>::read(Json& value, const FieldPlace& place) {
  const FieldBounds& bounds = bounds_of(place);
  const std::optional<int64_t> number = whole_number(value);
  if (!number || *number < bounds.least || *number > bounds.most) {
    const std::string got = number              ? std::to_string(*number)
                            : value.is_number() ? "another number"
                                                : std::string(kind_of(value));
    place.refuse(fmt::format("must be a whole number{}, got {}", range_text(bounds), got));
  }
  return *number;
}

Json JsonType<int64_t>::schema(const FieldBounds& bounds) {
  Json schema = {{"type", "integer"}};
  if (bounds.least != kNoBounds.least) schema["minimum"] = bounds.least;
  if (bounds.most != kNoBounds.most) schema["maximum"] = bounds.most;
  return schema;
}

double JsonType<double>::read(Json& value, const FieldPlace& place) {
  if (!value.is_number()) place.refuse_type("a number", value);
  return value.get<double>();
}

Json JsonType<double>::schema(const FieldBounds& /*bounds*/) {
  return {{"type", "number"}};
}

std::string JsonType<std::string>::read(Json& value, const FieldPlace& place) {
  if (!value.is_string()) place.refuse_type("a string", value);
  auto& text = value.get_ref<std::string&>();
  const std::vector<std::string>& choices = bounds_of(place).choices;
  if (!choices.empty() && std::ranges::find(choices, text) == choices.end()) {
    place.refuse(
        fmt::format("must be one of {}; got \"{}\"", join(choices, ", "), shown_name(text)));
  }
  return std::move(text);
}

Json JsonType<std::string>::schema(const FieldBounds& bounds) {
  Json schema = {{"type", "string"}};
  if (!bounds.choices.empty()) schema["enum"] = bounds.choices;
  return schema;
}

void check_array(const Json& value, const FieldPlace& place) {
  if (!value.is_array()) place.refuse_type("an array", value);
  const FieldBounds& bounds = bounds_of(place);
  const auto count = static_cast<int64_t>(value.size());
  if (count < bounds.least || count > bounds.most) {
    place.refuse(
        fmt::format("must have a number of elements{}, got {}", range_text(bounds), count));
  }
}

Json array_schema(Json of, const FieldBounds& bounds) {
  Json schema = {{"type", "array"}, {"items", std::move(of)}};
  if (bounds.least != kNoBounds.least) schema["minItems"] = bounds.least;
  if (bounds.most != kNoBounds.most) schema["maxItems"] = bounds.most;
  return schema;
}

}  // namespace bertha::serve
