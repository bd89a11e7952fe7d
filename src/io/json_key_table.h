#pragma once

// JSON objects that other programs write, read by a table with a row for every known key. The same
// tables make the reference page of these files.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::io {

/// What this program does with a key.
enum class KeyUse : uint8_t {
  kObeyed,   ///< the value changes the result, and all its values are implemented
  kChecked,  ///< the note lists the values that are implemented; another value is an Error
  kIgnored,  ///< no value can change the result of this program
};
/// "obeyed", "checked" or "ignored".
const char* name_of(KeyUse use);

/// A key as the reference page lists it.
struct JsonKey {
  std::string_view name;
  KeyUse use = KeyUse::kIgnored;
  std::string_view note;  ///< a sentence without its full stop; Markdown
};

/// The value of one key. Each call throws Error that names the file, the key and what it expects.
class JsonField {
 public:
  JsonField(const nlohmann::json& value, const std::string& path, std::string_view key)
      : value_(value), path_(path), key_(key) {}

  const nlohmann::json& value() const { return value_; }
  const std::string& path() const { return path_; }
  /// A whole number in [least, most].
  int64_t count(int64_t least, int64_t most) const;
  /// A number in [least, most).
  double real(double least, double most) const;
  bool flag() const;
  std::string text() const;
  /// Throws Error: the value is not supported, `supported` is.
  [[noreturn]] void refuse(std::string_view supported) const;
  /// Refuses every value but this one.
  void only(const nlohmann::json& supported) const;

 private:
  const nlohmann::json& value_;
  const std::string& path_;
  std::string_view key_;
};

/// A row of the table of a file whose values go to a T.
template <typename T>
struct KeyRow {
  JsonKey key;
  void (*read)(const JsonField& field, T& to) = nullptr;  ///< none: the key is ignored
};

/// A value with a byte that is not UTF-8 replaced by U+FFFD, as it stands in a message.
std::string shown(const nlohmann::json& value);

/// Reads the keys of `json` in the table's order; null stands for a key that is absent. Returns the
/// keys that no table names.
template <typename T>
std::vector<std::string> read_fields(const nlohmann::json& json, const std::string& path,
                                     std::span<const KeyRow<T>> table, T& to) {
  for (const KeyRow<T>& row : table) {
    const auto found = json.find(row.key.name);
    if (row.read == nullptr || found == json.end() || found->is_null()) continue;
    row.read(JsonField(*found, path, row.key.name), to);
  }
  std::vector<std::string> unknown;
  for (const auto& item : json.items()) {
    bool known = false;
    for (const KeyRow<T>& row : table) known = known || row.key.name == item.key();
    if (!known) unknown.push_back(item.key());
  }
  return unknown;
}

/// The keys of a table.
template <typename T>
std::vector<JsonKey> keys_of(std::span<const KeyRow<T>> table) {
  std::vector<JsonKey> keys;
  for (const KeyRow<T>& row : table) keys.push_back(row.key);
  return keys;
}

/// A text that holds one JSON object. Throws Error that names `path` for another content.
nlohmann::json parse_json_object(std::string_view text, const std::string& path,
                                 std::string_view what);
/// A file that holds one JSON object. Throws Error for another content, for a file that cannot be
/// read and for one of more than 512 KiB; `what` names the file's kind in messages.
nlohmann::json read_json_object(const std::string& path, std::string_view what);

/// The warning about keys of a file that no table names; empty when there are none.
std::string unknown_keys_note(const std::string& path, std::span<const std::string> keys);

/// The section of the reference page for a file: a heading, a sentence and a table of its keys.
std::string keys_section(std::string_view file, std::string_view about,
                         std::span<const JsonKey> keys);

}  // namespace bertha::io
