#include "text/line_tokenizer.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "io/shallow_json.h"
#include "text/model_input.h"
#include "text/tokenizer_settings.h"

namespace bertha::text {
namespace {

using Json = nlohmann::ordered_json;

/// The object of a line with a "text"; null for any other line.
Json object_with_text(std::string_view line) {
  if (!line.starts_with('{')) return nullptr;
  Json object = io::parse_json<Json>(line);
  const bool has_text = object.is_object() && object.contains("text") && object["text"].is_string();
  return has_text ? object : Json();
}

void append_number(int64_t number, std::string& out) {
  const fmt::format_int digits(number);
  out.append(digits.data(), digits.size());
}

void append_json_string(std::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<uint8_t>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// Calls append(i) for each index below `count`, with `separator` between.
template <typename Append>
void append_list(size_t count, std::string_view separator, std::string& out, const Append& append) {
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    append(i);
  }
}

/// The fields of an object, without those that follow, and without its closing brace.
std::string open_object(Json fields) {
  for (const char* key : {"ids", "tokens", "offsets"}) fields.erase(key);
  if (fields.empty()) return "{";
  std::string text = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.back() = ',';
  return text + " ";
}

}  // namespace

void LineTokenizer::run(std::string_view line, std::string& out) {
  ids_.clear();
  offsets_.clear();
  Json object = object_with_text(line);
  encode(object.is_null() ? line : object["text"].get_ref<const std::string&>());
  if (settings_.jsonl) {
    if (object.is_null() && settings_.fields) object["text"] = line;
    write_json(settings_.fields ? object : Json::object(), out);
  } else {
    write_plain(out);
  }
  out.push_back('\n');
}

void LineTokenizer::encode(std::string_view text) {
  if (settings_.model_input) {
    const auto& truncation = tokenizer_.settings().truncation;
    ModelInput input = text::model_input(tokenizer_, text, std::nullopt,
                                         truncation ? truncation->max_tokens : INT32_MAX);
    ids_ = std::move(input.ids);
    offsets_ = std::move(input.offsets);
  } else if (settings_.jsonl) {
    tokenizer_.encode(text, ids_, offsets_);
  } else {
    tokenizer_.encode(text, ids_);
  }
}

void LineTokenizer::write_plain(std::string& out) const {
  append_list(ids_.size(), " ", out, [&](size_t i) { append_number(ids_[i], out); });
  out.push_back('\t');
  append_list(ids_.size(), " ", out, [&](size_t i) { out += piece(i); });
}

void LineTokenizer::write_json(const nlohmann::ordered_json& fields, std::string& out) const {
  out += open_object(fields) + R"("ids": [)";
  append_list(ids_.size(), ", ", out, [&](size_t i) { append_number(ids_[i], out); });
  out += R"(], "tokens": [)";
  append_list(ids_.size(), ", ", out, [&](size_t i) { append_json_string(piece(i), out); });
  out += R"(], "offsets": [)";
  append_list(ids_.size(), ", ", out, [&](size_t i) {
    out.push_back('[');
    append_number(offsets_[i].begin, out);
    out += ", ";
    append_number(offsets_[i].end, out);
    out.push_back(']');
  });
  out += "]}";
}

}  // namespace bertha::text
