#pragma once

// A reader of the part of YAML that rendered manifests use, so that tests can look at their
// structure. It reads block maps and sequences, one document, plain and double-quoted scalars, flow
// sequences of quoted texts, `{}` and literal blocks (`|`), and refuses everything else.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace bertha::test {

class PlainYaml {
 public:
  /// The document as JSON. Throws std::runtime_error, with the line, for what it cannot read.
  static nlohmann::json read(const std::string& text) {
    PlainYaml reader(text);
    nlohmann::json document = reader.block(0);
    if (reader.at_ < reader.lines_.size()) reader.refuse("unexpected indent");
    return document;
  }

 private:
  explicit PlainYaml(const std::string& text) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines_.push_back(line);
  }

  [[noreturn]] void refuse(const char* why) const {
    throw std::runtime_error(fmt::format("line {}: {}", at_ + 1, why));
  }
  bool more() const { return at_ < lines_.size(); }
  size_t indent() const { return lines_[at_].find_first_not_of(' '); }
  bool is_item(size_t column) const { return lines_[at_].compare(column, 2, "- ") == 0; }

  nlohmann::json block(size_t column) {
    if (!more() || indent() != column) refuse("expected a block here");
    return is_item(column) ? sequence(column) : map(column);
  }

  nlohmann::json sequence(size_t column) {
    nlohmann::json items = nlohmann::json::array();
    while (more() && indent() == column && is_item(column)) {
      const std::string rest = lines_[at_].substr(column + 2);
      if (rest == "|") {
        ++at_;
        items.push_back(literal(column + 2));
        continue;
      }
      if (rest.starts_with('"')) {
        ++at_;
        items.push_back(scalar(rest));
        continue;
      }
      lines_[at_][column] = ' ';  // what follows the dash is a map, two columns further
      items.push_back(map(column + 2));
    }
    return items;
  }

  nlohmann::json map(size_t column) {
    nlohmann::json fields = nlohmann::json::object();
    while (more() && indent() == column && !is_item(column)) {
      const std::string line = without_comment(lines_[at_].substr(column));
      const size_t colon = line.find(':');
      if (colon == std::string::npos) refuse("expected \"key: value\"");
      const std::string key = line.substr(0, colon);
      if (fields.contains(key)) refuse("a key is given twice");
      ++at_;
      const bool on_line = colon + 1 < line.size();
      fields[key] = on_line ? scalar(line.substr(colon + 2)) : block(column + 2);
    }
    return fields;
  }

  std::string literal(size_t column) {
    std::string text;
    for (; more() && (lines_[at_].empty() || indent() >= column); ++at_) {
      text += lines_[at_].empty() ? "" : lines_[at_].substr(column);
      text += '\n';
    }
    return text;
  }

  static std::string without_comment(const std::string& line) {
    return line.substr(0, line.find("  #"));
  }

  nlohmann::json scalar(const std::string& text) const {
    if (text == "{}" || text == "true" || text == "false" || text[0] == '[' || text[0] == '"') {
      return nlohmann::json::parse(text);  // the forms that YAML shares with JSON
    }
    if (text.find_first_of("{}[]&*!|>%@`'\"#") != std::string::npos) refuse("unknown scalar");
    const bool number = text.find_first_not_of("0123456789") == std::string::npos;
    return number ? nlohmann::json(std::stoll(text)) : nlohmann::json(text);
  }

  std::vector<std::string> lines_;
  size_t at_ = 0;
};

}  // namespace bertha::test
