#include "tasks/table/table_format.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/shallow_json.h"

namespace bertha::tasks {
namespace {

constexpr size_t kMostLookBytes = size_t{1} << 20;  // of a first line that is tried as JSON

std::string ending_of(std::string path) {
  for (const std::string_view packed : {".gz", ".bz2"}) {
    if (path.ends_with(packed)) path.resize(path.size() - packed.size());
  }
  const size_t dot = path.find_last_of("./");
  std::string ending = dot == std::string::npos || path[dot] == '/' ? "" : path.substr(dot + 1);
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

/// The first line that is not blank.
std::string_view first_line(std::string_view contents) {
  const size_t first = contents.find_first_not_of("\r\n");
  if (first == std::string_view::npos) return {};
  contents.remove_prefix(first);
  return contents.substr(0, contents.find_first_of("\r\n"));
}

bool is_json_object(std::string_view line) {
  if (line.size() > kMostLookBytes) return true;  // no other table has such a first line
  return io::parse_json(line).is_object();
}

/// JSON, if the contents begin as it does; `sure` where the ending says that it is.
bool look_for_json(std::string_view contents, bool sure, TableLook& look) {
  const size_t first = contents.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  if (contents[first] == '[') {
    const size_t second = contents.find_first_not_of(" \t\r\n", first + 1);
    const bool of_objects = second != std::string_view::npos && contents[second] == '{';
    look.format = TableFormat::kJson;
    return sure || of_objects;
  }
  if (contents[first] != '{') return false;
  const bool lines = is_json_object(first_line(contents));
  look.format = lines ? TableFormat::kJsonLines : TableFormat::kJson;
  return sure || lines;
}

/// How often each separator is in the header, outside quotes. A comma wins a draw.
char separator_of(std::string_view header) {
  constexpr std::array<char, 4> kSeparators = {',', ';', '\t', '|'};
  std::array<int64_t, 4> counts{};
  bool quoted = false;
  for (const char c : header) {
    quoted = quoted != (c == '"');
    const auto* const found = std::find(kSeparators.begin(), kSeparators.end(), c);
    if (!quoted && found != kSeparators.end()) {
      ++counts[static_cast<size_t>(found - kSeparators.begin())];
    }
  }
  const auto* const most = std::max_element(counts.begin(), counts.end());
  return *most == 0 ? ',' : kSeparators[static_cast<size_t>(most - counts.begin())];
}

const char* name_of(char separator) {
  return separator == ';' ? "\";\"" : separator == '\t' ? "tabs" : "\"|\"";
}

}  // namespace

TableLook look_at_table(std::string_view contents, const std::string& path, bool has_header) {
  TableLook look;
  const std::string ending = ending_of(path);
  const bool json = ending == "json" || ending == "jsonl" || ending == "ndjson";
  if ((json || has_header) && look_for_json(contents, json, look)) {
    if (!json) look.notes.emplace_back("it is JSON and is read as such");
    return look;
  }
  if (json) fail("{}: expected JSON: objects on lines or in an array", path);
  const std::string_view header = first_line(contents);
  const bool csv_by_look = has_header && header.find('\t') == std::string_view::npos &&
                           header.find_first_of(",;") != std::string_view::npos;
  if (ending != "csv" && !csv_by_look) {
    look.format = TableFormat::kTsv;
    return look;
  }
  look.format = TableFormat::kCsv;
  look.separator = separator_of(header);
  if (ending != "csv") look.notes.emplace_back("its header has no tab: it is read as CSV");
  if (look.separator != ',') {
    look.notes.push_back(fmt::format("its fields are separated by {}", name_of(look.separator)));
  }
  return look;
}

}  // namespace bertha::tasks
