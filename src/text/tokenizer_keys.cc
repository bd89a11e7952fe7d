#include "text/tokenizer_keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace bertha::text {
namespace {

using Json = nlohmann::json;
using Action = TokenizerKey::Action;

const TokenizerKey* find_key(std::string_view file, std::string_view object, std::string_view key) {
  const auto keys = tokenizer_keys();
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const TokenizerKey& k) {
    return file == k.file && object == k.object && key == k.key;
  });
  return found == keys.end() ? nullptr : &*found;
}

/// A value as messages print it: whole when it is short.
std::string shown(const Json& value) {
  constexpr size_t kMost = 60;
  if (value.is_structured() && value.size() > 8) return value.is_array() ? "a list" : "an object";
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kMost ? text : std::string("a ") + value.type_name();
}

std::string listed(const Json& values) {
  std::string text;
  for (const Json& value : values) text += (text.empty() ? "" : " or ") + value.dump();
  return text;
}

std::string name_of(std::string_view object, std::string_view key) {
  return object.empty() ? std::string(key) : fmt::format("{}: {}", object, key);
}

std::string action_text(const TokenizerKey& key) {
  switch (key.action) {
    case Action::kObeyed:
      return fmt::format("obeyed: {}", key.text);
    case Action::kRefused:
      return fmt::format("refused unless `{}`", listed(Json::parse(key.text)));
    case Action::kIgnored:
      break;
  }
  return fmt::format("ignored: {}", key.text);
}

constexpr std::string_view kPageHead = R"(# Tokenizer files: every key

This page is made from the program's own table: `bertha tokenize --list-keys > docs/reference/tokenizer-files.md`.

A model's folder may hold `vocab.txt`, `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json` and
`added_tokens.json`. All commands read them in the same way, and `bertha tokenize --checkpoint FOLDER` shows the result.
Where `vocab.txt` and `tokenizer.json` lie together, `tokenizer.json` says how text is treated. Files that contradict
each other are an error that names both. A key that is not in this table is reported once and has no effect.

)";

}  // namespace

std::string supported_types(std::string_view object) {
  std::string types;
  for (const TokenizerKey& key : tokenizer_keys()) {
    const std::string_view name = key.object;
    const bool of_object = name.size() > object.size() + 1 && name.starts_with(object) &&
                           name[object.size()] == ' ' && std::string_view(key.key) == "type";
    if (!of_object) continue;
    if (!types.empty()) types += ", ";
    types += name.substr(object.size() + 1);
  }
  return types;
}

bool is_supported_type(std::string_view object, std::string_view type) {
  return find_key("tokenizer.json", fmt::format("{} {}", object, type), "type") != nullptr;
}

void check_keys(const Json& values, std::string_view file, std::string_view object,
                const std::string& path, std::vector<std::string>& unknown) {
  for (const auto& [key, value] : values.items()) {
    const TokenizerKey* rule = find_key(file, object, key);
    if (rule == nullptr) {
      unknown.push_back(name_of(object, key));
      continue;
    }
    if (rule->action != Action::kRefused) continue;
    const Json accepted = Json::parse(rule->text);
    if (std::find(accepted.begin(), accepted.end(), value) != accepted.end()) continue;
    fail("{}: {} is {}; supported: {}", path, name_of(object, key), shown(value), listed(accepted));
  }
}

std::string tokenizer_keys_page() {
  std::string page(kPageHead);
  std::string_view file;
  for (const TokenizerKey& key : tokenizer_keys()) {
    if (file != key.file) {
      page += fmt::format("{}## {}\n\n| object | key | what happens |\n|---|---|---|\n",
                          file.empty() ? "" : "\n", key.file);
    }
    file = key.file;
    page += fmt::format("| {} | `{}` | {} |\n", key.object, key.key, action_text(key));
  }
  return page;
}

}  // namespace bertha::text
