#pragma once

// The fields of a request, declared once: the table of a struct parses the JSON of a request into
// it, and gives the JSON schema that /openapi.json and the reference page show.

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "serve/routes/request_json.h"

namespace bertha::serve {

/// A field whose value the route does not take.
class FieldError : public Error {
 public:
  /// `field` is a path, "inputs[2].text". The message begins with it.
  FieldError(std::string field, std::string_view problem)
      : Error(fmt::format("`{}` {}", field, problem)), field_(std::move(field)) {}
  const std::string& field() const { return field_; }

 private:
  std::string field_;
};

/// What a value may be beyond its type.
struct FieldBounds {
  int64_t least = std::numeric_limits<int64_t>::min();
  int64_t most = std::numeric_limits<int64_t>::max();
  std::vector<std::string> choices{};  ///< of a string; empty: any
};

/// Where a value stands, and how its route treats names that no table has.
struct FieldPlace {
  std::string path{};
  bool strict = false;  ///< unknown names are errors
  const FieldBounds* bounds = nullptr;

  [[noreturn]] void refuse(std::string_view problem) const { throw FieldError(path, problem); }
  [[noreturn]] void refuse_type(std::string_view expected, const Json& value) const;
  FieldPlace member(std::string_view name, const FieldBounds& of) const;
  FieldPlace element(size_t index) const;
};

/// How a V is read from JSON: `static V read(Json&, const FieldPlace&)`, which may move texts out
/// of the value, and `static Json schema(const FieldBounds&)`.
template <typename V>
struct JsonType;

struct FieldInfo {
  std::string name;
  std::string note;  ///< a sentence without its full stop; Markdown
  bool required = false;
  FieldBounds bounds{};
  Json preset = nullptr;  ///< the value of a field that is absent, where JSON can say it
};

/// Throws FieldError for a name of `object` that is in no row, with the nearest name that is.
void refuse_unknown(const Json& object, const std::vector<FieldInfo>& known,
                    const FieldPlace& place);
/// The schema of an object; `types` has those of its fields, in their order.
Json object_schema(const std::vector<FieldInfo>& fields, std::vector<Json> types);
/// The schema with null as one more value.
Json or_null(Json schema);

template <typename V>
struct IsOptional : std::false_type {};
template <typename V>
struct IsOptional<std::optional<V>> : std::true_type {};

template <typename T>
class FieldTable {
 public:
  template <typename V>
  FieldTable& required(const std::string& name, V T::*member, const std::string& note) {
    return add({.name = name, .note = note, .required = true}, member);
  }
  /// Absent and null leave what T{} has.
  template <typename V>
  FieldTable& optional(std::string name, V T::*member, std::string note) {
    FieldInfo info{.name = std::move(name), .note = std::move(note)};
    if constexpr (std::same_as<V, bool> || std::same_as<V, int64_t> || std::same_as<V, double> ||
                  std::same_as<V, std::string>) {
      info.preset = T{}.*member;
      if (info.preset.is_string() && info.preset.get_ref<const std::string&>().empty()) {
        info.preset = nullptr;
      }
    }
    return add(std::move(info), member);
  }

  // What follows changes the field declared last.

  /// Bounds of a number, or of the number of elements.
  FieldTable& within(int64_t least, int64_t most) {
    infos_.back().bounds.least = least;
    infos_.back().bounds.most = most;
    return *this;
  }
  FieldTable& one_of(std::vector<std::string> choices) {
    infos_.back().bounds.choices = std::move(choices);
    return *this;
  }

  /// Throws FieldError.
  T read(Json& object, const FieldPlace& place) const {
    if (!object.is_object()) {
      place.path.empty() ? throw FieldError("body", "must be an object")
                         : place.refuse_type("an object", object);
    }
    if (place.strict) refuse_unknown(object, infos_, place);
    T to;
    for (size_t i = 0; i < infos_.size(); ++i) {
      const auto found = object.find(infos_[i].name);
      const FieldPlace at = place.member(infos_[i].name, infos_[i].bounds);
      if (found != object.end() && (infos_[i].required || !found->is_null())) {
        readers_[i](*found, to, at);
      } else if (infos_[i].required) {
        at.refuse("is missing");
      }
    }
    return to;
  }

  Json schema() const {
    std::vector<Json> types;
    for (size_t i = 0; i < infos_.size(); ++i) types.push_back(schemas_[i](infos_[i].bounds));
    return object_schema(infos_, std::move(types));
  }

 private:
  template <typename V>
  FieldTable& add(FieldInfo info, V T::*member) {
    infos_.push_back(std::move(info));
    readers_.push_back([member](Json& value, T& to, const FieldPlace& place) {
      to.*member = JsonType<V>::read(value, place);
    });
    schemas_.push_back([](const FieldBounds& bounds) { return JsonType<V>::schema(bounds); });
    return *this;
  }

  std::vector<FieldInfo> infos_;
  std::vector<std::function<void(Json&, T&, const FieldPlace&)>> readers_;
  std::vector<Json (*)(const FieldBounds&)> schemas_;
};

/// A struct with a table of its fields: `static FieldTable<T> fields()`.
template <typename T>
concept HasFields = requires {
  { T::fields() } -> std::same_as<FieldTable<T>>;
};

template <HasFields T>
const FieldTable<T>& fields_of() {
  static const FieldTable<T> table = T::fields();
  return table;
}

template <HasFields T>
struct JsonType<T> {
  static T read(Json& value, const FieldPlace& place) { return fields_of<T>().read(value, place); }
  static Json schema(const FieldBounds& /*bounds*/) { return fields_of<T>().schema(); }
};

template <>
struct JsonType<Json> {
  static Json read(Json& value, const FieldPlace& /*place*/) { return std::move(value); }
  static Json schema(const FieldBounds& /*bounds*/) { return Json::object(); }
};

template <>
struct JsonType<bool> {
  static bool read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<int64_t> {
  static int64_t read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<double> {
  static double read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<std::string> {
  static std::string read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <typename V>
struct JsonType<std::optional<V>> {
  static std::optional<V> read(Json& value, const FieldPlace& place) {
    return JsonType<V>::read(value, place);
  }
  static Json schema(const FieldBounds& bounds) { return JsonType<V>::schema(bounds); }
};

/// Throws FieldError for a value that is no array, or one of a number of elements out of bounds.
void check_array(const Json& value, const FieldPlace& place);
Json array_schema(Json of, const FieldBounds& bounds);

template <typename V>
struct JsonType<std::vector<V>> {
  static std::vector<V> read(Json& value, const FieldPlace& place) {
    check_array(value, place);
    std::vector<V> elements;
    elements.reserve(value.size());
    for (size_t i = 0; i < value.size(); ++i) {
      elements.push_back(JsonType<V>::read(value[i], place.element(i)));
    }
    return elements;
  }
  static Json schema(const FieldBounds& bounds) {
    return array_schema(JsonType<V>::schema({}), bounds);
  }
};

/// Parses a body by the table of T. Throws JsonError and FieldError.
template <HasFields T>
T read_body(std::string_view body, bool strict, const JsonLimits& limits = {}) {
  Json json = parse_request_json(body, limits);
  return fields_of<T>().read(json, {.strict = strict});
}

}  // namespace bertha::serve
