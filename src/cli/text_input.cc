#include "cli/text_input.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/error.h"
#include "io/shallow_json.h"

namespace bertha::cli {
namespace {

constexpr size_t kMostLineBytes = size_t{1} << 24;
constexpr size_t kBlockBytes = size_t{1} << 20;

bool ends_as(std::string_view path, std::string_view ending) {
  for (const std::string_view packed : {".gz", ".bz2"}) {
    if (path.ends_with(packed)) path.remove_suffix(packed.size());
  }
  return path.ends_with(ending);
}

}  // namespace

TextReader::TextReader(const std::string& path, std::string key)
    : path_(path == "-" ? "standard input" : path),
      key_(std::move(key)),
      blocks_(path, kBlockBytes),
      rest_(blocks_.next()) {
  json_ =
      ends_as(path, ".jsonl") || ends_as(path, ".ndjson") || (path == "-" && begins_with_object());
  if (ends_as(path, ".json")) refuse_document();
}

/// Whether the first line is an object with a text.
bool TextReader::begins_with_object() const {
  const std::string_view line = rest_.substr(0, rest_.find('\n'));
  if (!line.starts_with('{') || line.size() > kMostLineBytes) return false;
  const OrderedJson json = io::parse_json<OrderedJson>(line);
  return json.is_object() && json.contains(key_) && json[key_].is_string();
}

void TextReader::refuse_document() const {
  const size_t first = rest_.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (rest_[first] != '[' && rest_[first] != '{')) return;
  fail(
      "{}: a JSON document, expected a text on each line; `jq -c '.[]' OLD > NEW.jsonl` makes JSON "
      "lines of an array",
      path_);
}

bool TextReader::next_line(std::string_view& line) {
  if (rest_.empty()) rest_ = blocks_.next();
  if (rest_.empty()) return false;
  const size_t end = std::min(rest_.find('\n'), rest_.size());
  line = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  ++line_;
  return true;
}

std::vector<TextRecord> TextReader::next(size_t most) {
  std::vector<TextRecord> records;
  std::string_view line;
  while (records.size() < most && next_line(line)) {
    if (line.size() > kMostLineBytes) {
      fail("{}: line {} has {} bytes, expected at most {}", path_, line_, line.size(),
           kMostLineBytes);
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (json_ && line.find_first_not_of(" \t") == std::string_view::npos) continue;
    records.push_back(json_ ? record_of(line) : TextRecord{.text = std::string(line)});
    records.back().line = line_;
  }
  return records;
}

TextRecord TextReader::record_of(std::string_view line) const {
  OrderedJson json = io::parse_json<OrderedJson>(line);
  if (json.is_string()) return {.text = json.get<std::string>()};
  const auto found = json.is_object() ? json.find(key_) : json.end();
  if (!json.is_object() || found == json.end() || !found->is_string()) {
    fail("{}: line {}: expected a JSON string, or an object with a string \"{}\"", path_, line_,
         key_);
  }
  std::string text = found->get<std::string>();
  return {.text = std::move(text), .fields = std::move(json)};
}

OrderedJson fields_of(const TextRecord& record, std::string_view key) {
  if (!record.fields.is_null()) return record.fields;
  OrderedJson fields;
  fields[std::string(key)] = record.text;
  return fields;
}

void print_json(const OrderedJson& line) {
  const std::string text = line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    fail("standard output: cannot write");
  }
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail("standard output: cannot write");
}

}  // namespace bertha::cli
