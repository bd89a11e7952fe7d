#include "k8s/text_template.h"

#include "core/error.h"

namespace bertha::k8s {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";

const std::string& value_of(std::string_view name, const TemplateValues& values) {
  const auto found = values.find(name);
  BERTHA_CHECK(found != values.end(), "a template names \"{}\", which has no value", name);
  return found->second;
}

void append_line(std::string& result, std::string_view line, const TemplateValues& values) {
  for (size_t open = line.find(kOpen); open != std::string_view::npos; open = line.find(kOpen)) {
    const size_t close = line.find(kClose, open);
    BERTHA_CHECK(close != std::string_view::npos, "a template line has no }} in \"{}\"", line);
    result += line.substr(0, open);
    result += value_of(line.substr(open + kOpen.size(), close - open - kOpen.size()), values);
    line.remove_prefix(close + kClose.size());
  }
  result += line;
  result += '\n';
}

void append_block(std::string& result, std::string_view indent, const std::string& lines) {
  for_each_line(lines, [&](std::string_view line) {
    if (!line.empty()) result += indent;
    result += line;
    result += '\n';
  });
}

}  // namespace

std::string fill_template(std::string_view text, const TemplateValues& values) {
  std::string result;
  for_each_line(text, [&](std::string_view line) {
    const size_t begin = line.find_first_not_of(' ');
    const std::string_view word =
        begin == std::string_view::npos ? std::string_view() : line.substr(begin);
    const bool alone = word.starts_with(kOpen) && word.find(kClose) == word.size() - kClose.size();
    if (!alone) return append_line(result, line, values);
    const std::string_view name =
        word.substr(kOpen.size(), word.size() - kOpen.size() - kClose.size());
    append_block(result, line.substr(0, begin), value_of(name, values));
  });
  return result;
}

}  // namespace bertha::k8s
