#include "corpus/template_arguments.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "corpus/wikitext.h"

namespace bertha::corpus {
namespace {

constexpr size_t kMaxArguments = 64;
constexpr size_t kMaxNameBytes = 40;

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

bool is_argument_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == ' ' || c == '_' || c == '-' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

/// The number that is all of `text`, or 0.
size_t number_of(std::string_view text) {
  size_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && rest == text.data() + text.size() ? number : 0;
}

/// The value of "{a/b/=text}", without the braces.
std::string_view value_of(std::string_view choice, const TemplateArguments& arguments) {
  while (!choice.empty()) {
    const size_t end = std::min(choice.find('/'), choice.size());
    const std::string_view name = choice.substr(0, end);
    if (name.starts_with('=')) return name.substr(1);
    const bool dash_is_empty = name.starts_with('~');
    const std::string_view key = name.substr(dash_is_empty ? 1 : 0);
    const size_t number = number_of(key);
    const std::string_view value = number > 0 ? arguments.at(number) : arguments.named(key);
    if (!value.empty() && !(dash_is_empty && value == "-")) return value;
    choice.remove_prefix(std::min(end + 1, choice.size()));
  }
  return {};
}

/// Appends a pattern without groups. False when an argument is empty.
bool append_filled(std::string_view pattern, const TemplateArguments& arguments,
                   std::string& text) {
  bool complete = true;
  while (!pattern.empty()) {
    const size_t begin = std::min(pattern.find('{'), pattern.size());
    text += pattern.substr(0, begin);
    pattern.remove_prefix(begin);
    if (pattern.empty()) break;
    const size_t end = pattern.find('}');
    const std::string_view value = value_of(pattern.substr(1, end - 1), arguments);
    complete = complete && !value.empty();
    text += value;
    pattern.remove_prefix(end + 1);
  }
  return complete;
}

}  // namespace

TemplateArguments::TemplateArguments(std::string_view content) {
  for (size_t count = 0; !content.empty() && count < kMaxArguments; ++count) {
    const size_t end = std::min(content.find(kSeparator), content.size());
    add(content.substr(0, end));
    content.remove_prefix(std::min(end + 1, content.size()));
  }
}

void TemplateArguments::add(std::string_view part) {
  const size_t equals = part.find('=');
  const std::string_view name = trim(part.substr(0, equals));
  if (equals == std::string_view::npos || !is_argument_name(name)) {
    positional_.push_back(trim(part));
    return;
  }
  const std::string_view value = trim(part.substr(equals + 1));
  const size_t number = number_of(name);
  if (number == 0) {
    if (name != "0") named_.emplace_back(name, value);
  } else if (number <= kMaxArguments) {
    positional_.resize(std::max(positional_.size(), number));
    positional_[number - 1] = value;
  }
}

std::string_view TemplateArguments::at(size_t number) const {
  return number - 1 < positional_.size() ? positional_[number - 1] : std::string_view();
}

std::string_view TemplateArguments::named(std::string_view name) const {
  for (const auto& [key, value] : named_) {
    if (key == name) return value;
  }
  return {};
}

bool TemplateArguments::is_set(std::string_view name) const {
  const std::string_view value = named(name);
  return value == "y" || value == "yes" || value == "on" || value == "1";
}

std::string_view TemplateArguments::last() const {
  for (size_t i = positional_.size(); i > 0;) {
    --i;
    if (!positional_[i].empty()) return positional_[i];
  }
  return {};
}

std::string TemplateArguments::joined(std::string_view between) const {
  std::string text;
  for (const std::string_view part : positional_) {
    if (part.empty()) continue;
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

std::string fill_pattern(std::string_view pattern, const TemplateArguments& arguments) {
  std::string text;
  while (!pattern.empty()) {
    const size_t begin = std::min(pattern.find('['), pattern.size());
    append_filled(pattern.substr(0, begin), arguments, text);
    pattern.remove_prefix(begin);
    if (pattern.empty()) break;
    const size_t end = pattern.find(']');
    std::string group;
    if (append_filled(pattern.substr(1, end - 1), arguments, group)) text += group;
    pattern.remove_prefix(end + 1);
  }
  return text;
}

}  // namespace bertha::corpus
