#include "io/json_key_table.h"

#include "core/error.h"
#include "core/strings.h"
#include "io/shallow_json.h"
#include "io/whole_file.h"

namespace bertha::io {

using Json = nlohmann::json;

const char* name_of(KeyUse use) {
  switch (use) {
    case KeyUse::kObeyed:
      return "obeyed";
    case KeyUse::kChecked:
      return "checked";
    case KeyUse::kIgnored:
      break;
  }
  return "ignored";
}

std::string shown(const Json& value) {
  constexpr size_t kMostShown = 200;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "…";
  return text;
}

int64_t JsonField::count(int64_t least, int64_t most) const {
  if (const std::optional<int64_t> number = whole_number(value_)) {
    if (*number >= least && *number <= most) return *number;
  }
  fail("{}: \"{}\" must be a whole number from {} to {}, got {}", path_, key_, least, most,
       shown(value_));
}

double JsonField::real(double least, double most) const {
  const bool fits =
      value_.is_number() && value_.get<double>() >= least && value_.get<double>() < most;
  if (fits) return value_.get<double>();
  fail("{}: \"{}\" must be a number from {} to below {}, got {}", path_, key_, least, most,
       shown(value_));
}

bool JsonField::flag() const {
  if (value_.is_boolean()) return value_.get<bool>();
  fail("{}: \"{}\" must be true or false, got {}", path_, key_, shown(value_));
}

std::string JsonField::text() const {
  if (value_.is_string()) return value_.get<std::string>();
  fail("{}: \"{}\" must be a text, got {}", path_, key_, shown(value_));
}

void JsonField::refuse(std::string_view supported) const {
  fail("{}: \"{}\" is {}, which is not supported; supported: {}", path_, key_, shown(value_),
       supported);
}

void JsonField::only(const Json& supported) const {
  if (value_ != supported) refuse(shown(supported));
}

Json parse_json_object(std::string_view text, const std::string& path, std::string_view what) {
  Json json = parse_json(text);
  if (!json.is_object()) fail("{}: expected a JSON object, {}", path, what);
  return json;
}

Json read_json_object(const std::string& path, std::string_view what) {
  constexpr int64_t kMostBytes = 1 << 19;  // JSON takes many times its size in memory
  return parse_json_object(read_whole_file(path, what, kMostBytes), path, what);
}

std::string unknown_keys_note(const std::string& path, std::span<const std::string> keys) {
  if (keys.empty()) return "";
  return fmt::format("{}: not known and ignored: {}", path, join(keys, ", "));
}

std::string keys_section(std::string_view file, std::string_view about,
                         std::span<const JsonKey> keys) {
  std::string text =
      fmt::format("## {}\n\n{}\n\n| key | use | note |\n|---|---|---|\n", file, about);
  for (const JsonKey& key : keys) {
    text += fmt::format("| `{}` | {} | {} |\n", key.name, name_of(key.use), key.note);
  }
  return text + "\n";
}

}  // namespace bertha::io
