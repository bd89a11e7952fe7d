#include "tasks/table/table_reader.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "tasks/table/table_format.h"
#include "text/json_text.h"

namespace bertha::tasks {
namespace {

using Json = nlohmann::json;
using Fields = std::vector<std::string_view>;

constexpr size_t kMostColumns = 4096;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

/// Reads lines with tabs between fields. Quotes are characters like any other.
class TsvLines {
 public:
  explicit TsvLines(std::string_view text) : rest_(text) {}

  int64_t line() const { return line_; }
  /// The fields of the next line that is not blank; false at the end.
  bool next(Fields& fields) {
    fields.clear();
    while (!rest_.empty()) {
      ++line_;
      std::string_view line = take_line();
      if (line.empty()) continue;
      for (size_t tab = line.find('\t'); tab != line.npos; tab = line.find('\t')) {
        fields.push_back(line.substr(0, tab));
        line.remove_prefix(tab + 1);
      }
      fields.push_back(line);
      return true;
    }
    return false;
  }

 private:
  std::string_view take_line() {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  std::string_view rest_;
  int64_t line_ = 0;
};

/// Reads RFC 4180 records: a field in quotes may hold separators, line ends and doubled quotes. As
/// in Python's csv module, quotes elsewhere in a field are characters like any other, and what
/// follows a closing quote belongs to the field.
class CsvRecords {
 public:
  CsvRecords(std::string_view text, char separator, const std::string& path,
             std::deque<std::string>& values)
      : text_(text), separator_(separator), path_(path), values_(values) {}

  int64_t line() const { return first_line_; }
  bool next(Fields& fields) {
    fields.clear();
    while (at_ < text_.size() && at_line_end()) skip_line_end();
    first_line_ = line_;
    if (at_ == text_.size()) return false;
    for (;;) {
      fields.push_back(field());
      if (at_ == text_.size()) return true;
      if (at_line_end()) {
        skip_line_end();
        return true;
      }
      ++at_;  // the separator
    }
  }

 private:
  bool at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }
  void skip_line_end() {
    at_ += text_.substr(at_).starts_with("\r\n") ? size_t{2} : size_t{1};
    ++line_;
  }
  size_t plain_end() const {
    size_t end = at_;
    while (end < text_.size() && text_[end] != separator_ && text_[end] != '\n' &&
           text_[end] != '\r') {
      ++end;
    }
    return end;
  }

  std::string_view field() {
    if (at_ == text_.size() || text_[at_] != '"') {
      const size_t begin = std::exchange(at_, plain_end());
      return text_.substr(begin, at_ - begin);
    }
    std::string value = quoted_part();
    const size_t begin = std::exchange(at_, plain_end());
    value += text_.substr(begin, at_ - begin);
    return values_.emplace_back(std::move(value));
  }

  std::string quoted_part() {
    const int64_t opened = line_;
    std::string value;
    ++at_;
    for (;;) {
      const size_t quote = text_.find('"', at_);
      if (quote == text_.npos) fail("{}: line {}: a quote without end", path_, opened);
      const std::string_view part = text_.substr(at_, quote - at_);
      line_ += std::count(part.begin(), part.end(), '\n');
      value += part;
      at_ = quote + 1;
      if (at_ == text_.size() || text_[at_] != '"') return value;
      value += '"';
      ++at_;
    }
  }

  std::string_view text_;
  char separator_;
  const std::string& path_;
  std::deque<std::string>& values_;
  size_t at_ = 0;
  int64_t line_ = 1;
  int64_t first_line_ = 1;
};

/// Adds the rows of `records` and leaves out those with another number of fields.
template <typename Records>
void read_records(Records& records, bool has_header, Table& table) {
  Fields fields;
  size_t columns = 0;
  if (has_header) {
    records.next(fields);
    for (const std::string_view name : fields) table.header.emplace_back(trimmed(name));
    columns = fields.size();
  }
  for (int64_t number = 0; records.next(fields); ++number) {
    if (columns == 0) columns = fields.size();
    if (fields.size() == columns) {
      table.rows.push_back({number, records.line(), fields, {}});
      continue;
    }
    table.problems.add(fmt::format("row with {} than the {} fields of the {}, left out",
                                   fields.size() < columns ? "fewer" : "more", columns,
                                   has_header ? "header" : "first row"),
                       fmt::format("line {}", records.line()));
  }
}

/// Collects JSON objects as rows. The columns are the keys of all rows.
class JsonRows {
 public:
  JsonRows(const std::string& path, Table& table) : path_(path), table_(table) {}

  void add(const Json& object, int64_t line) {
    TableRow row{std::ssize(table_.rows) + left_out_, line, {}, {}};
    if (!object.is_object()) {
      ++left_out_;
      table_.problems.add("row that is no JSON object, left out", table_.place(row));
      return;
    }
    for (const auto& [key, value] : object.items()) {
      const size_t column = column_of(key);
      if (row.fields.size() <= column) row.fields.resize(column + 1);
      row.fields[column] = text_of(value);
      if (is_list(value)) add_list(value, column, row);
    }
    table_.rows.push_back(std::move(row));
  }

  void finish() {
    for (TableRow& row : table_.rows) row.fields.resize(table_.header.size());
  }

 private:
  size_t column_of(const std::string& key) {
    const auto [found, fresh] = columns_.emplace(key, table_.header.size());
    if (fresh) table_.header.push_back(key);
    if (table_.header.size() > kMostColumns) {
      fail("{}: more than {} different keys in its rows", path_, kMostColumns);
    }
    return found->second;
  }

  static bool is_list(const Json& value) {
    return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
             return item.is_primitive() && !item.is_null();
           });
  }

  void add_list(const Json& value, size_t column, TableRow& row) {
    TableList& list = row.lists.emplace_back(TableList{column, {}});
    for (const Json& item : value) list.items.push_back(text_of(item));
  }

  /// Numbers and truth values as JSON writes them. Lists and objects are no fields.
  std::string_view text_of(const Json& value) {
    if (value.is_null() || value.is_structured()) return {};
    return table_.values.emplace_back(value.is_string() ? value.get<std::string>() : value.dump());
  }

  const std::string& path_;
  Table& table_;
  std::map<std::string, size_t> columns_;
  int64_t left_out_ = 0;
};

void read_json_lines(std::string_view text, const std::string& path, Table& table) {
  JsonRows rows(path, table);
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view one = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    rows.add(text::parse_json_text(one, fmt::format("{}: line {}", path, line)).root, line);
  }
  rows.finish();
}

/// The rows of a JSON document: the document itself, or the one list in it ("data" if several).
const Json::array_t& rows_of(const Json& root, const std::string& path) {
  if (root.is_array()) return root.get_ref<const Json::array_t&>();
  const Json* found = nullptr;
  int64_t lists = 0;
  for (const Json& value : root) {
    if (!value.is_array()) continue;
    found = &value;
    ++lists;
  }
  if (lists > 1 && root.contains("data") && root["data"].is_array()) {
    return root["data"].get_ref<const Json::array_t&>();
  }
  if (lists != 1) fail("{}: expected a JSON array of objects, or an object with one such", path);
  return found->get_ref<const Json::array_t&>();
}

void read_json(std::string_view text, const std::string& path, Table& table) {
  const text::JsonText json = text::parse_json_text(text, path);
  JsonRows rows(path, table);
  int64_t number = 0;
  for (const Json& row : rows_of(json.root, path)) rows.add(row, ++number);
  rows.finish();
}

}  // namespace

std::string Table::place(const TableRow& row) const {
  return fmt::format("{} {}", format == TableFormat::kJson ? "row" : "line", row.line);
}

Table parse_table(std::string_view contents, const std::string& path, bool has_header) {
  TableLook look = look_at_table(contents, path, has_header);
  Table table;
  table.format = look.format;
  table.notes = std::move(look.notes);
  if (look.format == TableFormat::kTsv) {
    TsvLines lines(contents);
    read_records(lines, has_header, table);
  } else if (look.format == TableFormat::kCsv) {
    CsvRecords records(contents, look.separator, path, table.values);
    read_records(records, has_header, table);
  } else if (look.format == TableFormat::kJsonLines) {
    read_json_lines(contents, path, table);
  } else {
    read_json(contents, path, table);
  }
  return table;
}

}  // namespace bertha::tasks
