#pragma once

// Text with placeholders, for YAML: a template looks like the file that it becomes.

#include <map>
#include <string>
#include <string_view>

namespace bertha::k8s {

using TemplateValues = std::map<std::string, std::string, std::less<>>;

/// Replaces each `{{name}}` of `text` by its value. A placeholder that stands alone on a line may
/// have a value of many lines: each of them gets the indent of the placeholder. An empty value
/// removes that line. Values are not searched for placeholders. Throws LogicError for a name
/// without a value.
std::string fill_template(std::string_view text, const TemplateValues& values);

/// Calls `visit` with each line of `text`, without its end. A last line may lack its end.
template <typename Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    visit(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace bertha::k8s
