#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "core/strings.h"
#include "cpython/literals.h"

namespace bertha::cli {

namespace {

/// Option names compare with `_` as `-`.
std::string canonical(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

template <typename T>
T parse_number(const std::string& name, const std::string& text, const char* kind) {
  T number{};
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [rest, failure] =
      std::from_chars(begin + (text.starts_with('+') ? 1 : 0), end, number);
  if (failure != std::errc() || rest != end) {
    fail("--{}: expected {}, got \"{}\"", name, kind, text);
  }
  return number;
}

int64_t parse_integer(const std::string& name, const std::string& text) {
  return parse_number<int64_t>(name, text, "a whole number");
}

double parse_real(const std::string& name, const std::string& text) {
  const auto number = parse_number<double>(name, text, "a number");
  if (!std::isfinite(number)) fail("--{}: expected a finite number, got \"{}\"", name, text);
  return number;
}

bool is_number(const std::string& text) {
  double number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && rest == text.data() + text.size();
}

/// "-1" and "-" are values, "-x" and "--x" are options.
bool looks_like_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && !is_number(word);
}

std::string wrap(const std::string& text, size_t indent, size_t width) {
  std::string result;
  size_t column = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (column > 0 && column + 1 + end - begin > width - indent) {
      result += "\n" + std::string(indent, ' ');
      column = 0;
    }
    if (column > 0) {
      result += ' ';
      ++column;
    }
    result += text.substr(begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return result;
}

}  // namespace

Options::Options(std::string command, std::string about)
    : command_(std::move(command)), about_(std::move(about)) {}

Options::Option& Options::add(const std::string& name, const std::string& metavar,
                              const std::string& help) {
  Option option;
  option.name = canonical(name);
  option.metavar = metavar;
  option.help = help;
  // heading() leaves an unnamed row, which the next option takes over.
  if (!options_.empty() && options_.back().name.empty()) {
    option.heading = options_.back().heading;
    options_.pop_back();
  }
  options_.push_back(std::move(option));
  return options_.back();
}

Options& Options::heading(std::string title) {
  options_.emplace_back().heading = std::move(title);
  return *this;
}

Options& Options::value(const std::string& name, std::string& field, const std::string& help) {
  Option& option = add(name, "TEXT", help);
  option.set = [&field](const std::string& text) { field = text; };
  option.show = [&field] { return field; };
  option.literal = [&field] { return cpython::repr_str(field); };
  return *this;
}

Options& Options::value(const std::string& name, int64_t& field, const std::string& help) {
  Option& option = add(name, "N", help);
  option.set = [&field, name](const std::string& text) { field = parse_integer(name, text); };
  option.show = [&field] { return std::to_string(field); };
  option.literal = option.show;
  return *this;
}

Options& Options::value(const std::string& name, double& field, const std::string& help) {
  Option& option = add(name, "X", help);
  option.set = [&field, name](const std::string& text) { field = parse_real(name, text); };
  option.show = [&field] { return fmt::format("{}", field); };
  option.literal = [&field] { return cpython::repr_float(field); };
  return *this;
}

Options& Options::value(const std::string& name, bool& field, const std::string& help) {
  Option& option = add(name, "true|false", help);
  option.set = [&field](const std::string& text) { field = lower_ascii(text) == "true"; };
  option.show = [&field] { return std::string(field ? "true" : "false"); };
  option.literal = [&field] { return std::string(field ? "True" : "False"); };
  return *this;
}

Options& Options::value(const std::string& name, std::optional<std::string>& field,
                        const std::string& help) {
  Option& option = add(name, "TEXT", help);
  option.set = [&field](const std::string& text) { field = text; };
  option.show = [&field] { return field.value_or(""); };
  option.literal = [&field] { return field ? cpython::repr_str(*field) : "None"; };
  return *this;
}

Options& Options::value(const std::string& name, std::optional<int64_t>& field,
                        const std::string& help) {
  Option& option = add(name, "N", help);
  option.set = [&field, name](const std::string& text) { field = parse_integer(name, text); };
  option.show = [&field] { return field ? std::to_string(*field) : std::string(); };
  option.literal = [&field] { return field ? std::to_string(*field) : "None"; };
  return *this;
}

Options& Options::values(const std::string& name, std::vector<std::string>& field,
                         const std::string& help) {
  Option& option = add(name, "TEXT...", help);
  option.many = true;
  option.set = [&field](const std::string& text) { field.push_back(text); };
  option.show = [&field] { return fmt::format("{}", join(field, " ")); };
  option.literal = [&field] {
    std::vector<std::string> quoted;
    quoted.reserve(field.size());
    for (const std::string& text : field) quoted.push_back(cpython::repr_str(text));
    return "[" + join(quoted, ", ") + "]";
  };
  return *this;
}

Options& Options::flag(const std::string& name, bool& field, const std::string& help) {
  Option& option = add(name, "", help);
  option.set = [&field](const std::string&) { field = true; };
  option.show = [&field] { return std::string(field ? "true" : "false"); };
  option.literal = [&field] { return std::string(field ? "True" : "False"); };
  return *this;
}

Options& Options::accepted(const std::string& name, bool takes_value, const std::string& why,
                           const std::string& usual) {
  Option& option = add(name, takes_value ? "X" : "", "accepted, does nothing: " + why);
  option.accepted_why = why;
  const auto shown = std::make_shared<std::string>(takes_value ? usual : "False");
  option.set = [shown, takes_value](const std::string& text) {
    *shown = !takes_value ? "True" : is_number(text) ? text : cpython::repr_str(text);
  };
  option.show = [] { return std::string(); };
  option.literal = [shown] { return *shown; };
  return *this;
}

Options& Options::alias(const std::string& name, const std::string& of) {
  options_[find(canonical(of))].aliases.push_back(canonical(name));
  return *this;
}

Options& Options::letter(char letter) {
  options_.back().letter = letter;
  return *this;
}

Options& Options::required() {
  options_.back().required = true;
  return *this;
}

Options& Options::positional(const std::string& name, std::vector<std::string>& field, size_t least,
                             const std::string& help) {
  positional_ = &field;
  positional_name_ = name;
  positional_least_ = least;
  positional_help_ = help;
  return *this;
}

size_t Options::find(const std::string& typed) const {
  std::vector<size_t> prefixed;
  for (size_t i = 0; i < options_.size(); ++i) {
    const Option& option = options_[i];
    bool prefix = option.name.starts_with(typed);
    if (option.name == typed) return i;
    for (const std::string& other : option.aliases) {
      if (other == typed) return i;
      prefix = prefix || other.starts_with(typed);
    }
    if (prefix) prefixed.push_back(i);
  }
  if (prefixed.size() == 1) return prefixed[0];
  if (prefixed.empty()) {
    fail("unknown option --{}; {} --help lists all options", typed, command_);
  }
  std::string matches;
  for (const size_t i : prefixed) matches += " --" + options_[i].name;
  fail("--{} could be any of{}", typed, matches);
}

Options::Option& Options::find_letter(char letter, const std::string& word) {
  const auto found = std::ranges::find(options_, letter, &Option::letter);
  if (found == options_.end()) {
    fail("unknown option -{} in {}; {} --help lists all options", letter, word, command_);
  }
  return *found;
}

void Options::take(Option& option, const std::optional<std::string>& attached,
                   std::span<const std::string> words, size_t& at) {
  option.given = true;
  if (!option.accepted_why.empty())
    notes_.push_back("--" + option.name + ": " + option.accepted_why);
  if (option.metavar.empty()) {
    if (attached) fail("--{} takes no value", option.name);
    return option.set("");
  }
  if (attached) return option.set(*attached);
  if (at + 1 >= words.size() || looks_like_option(words[at + 1])) {
    fail("--{} needs a value ({})", option.name, option.metavar);
  }
  do {
    option.set(words[++at]);
  } while (option.many && at + 1 < words.size() && !looks_like_option(words[at + 1]));
}

bool Options::parse(std::span<const std::string> arguments) {
  bool only_positional = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--help" || word == "-h") return false;
    if (word == "--" && !only_positional) {
      only_positional = true;
    } else if (only_positional || !looks_like_option(word)) {
      if (positional_ == nullptr) fail("{}: \"{}\" is not an option", command_, word);
      positional_->push_back(word);
    } else if (word.starts_with("--")) {
      const size_t equals = word.find('=');
      Option& option = options_[find(canonical(word.substr(2, equals - 2)))];
      take(option,
           equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1)),
           arguments, i);
    } else {
      for (size_t at = 1; at < word.size();) {
        Option& option = find_letter(word[at++], word);
        const bool value_follows = !option.metavar.empty() && at < word.size();
        take(option, value_follows ? std::optional(word.substr(at)) : std::nullopt, arguments, i);
        if (value_follows) break;
      }
    }
  }
  for (const Option& option : options_) {
    if (option.required && !option.given) fail("{}: --{} is required", command_, option.name);
  }
  if (positional_ != nullptr && positional_->size() < positional_least_) {
    fail("{}: {} is required: {}", command_, positional_name_, positional_help_);
  }
  return true;
}

bool Options::given(const std::string& name) const {
  return options_[find(canonical(name))].given;
}

std::vector<std::pair<std::string, std::string>> Options::python_settings() const {
  const auto field_of = [](std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
  };
  std::vector<std::pair<std::string, std::string>> result;
  for (const Option& option : options_) {
    result.emplace_back(field_of(option.name), option.literal());
    for (const std::string& other : option.aliases) {
      result.emplace_back(field_of(other), option.literal());
    }
  }
  return result;
}

std::string Options::help() const {
  constexpr size_t kIndent = 6;
  constexpr size_t kWidth = 96;
  std::string text = "usage: " + command_ + " [options]";
  if (positional_ != nullptr) text += " " + positional_name_;
  text += "\n\n" + wrap(about_, 0, kWidth) + "\n";
  if (positional_ != nullptr) {
    text += "\n  " + positional_name_ + "\n" + std::string(kIndent, ' ') +
            wrap(positional_help_, kIndent, kWidth) + "\n";
  }
  for (const Option& option : options_) {
    if (!option.heading.empty()) text += "\n" + option.heading + "\n";
    text += option.letter == 0 ? "  " : fmt::format("  -{}, ", option.letter);
    text += "--" + option.name + (option.metavar.empty() ? "" : " " + option.metavar);
    for (const std::string& other : option.aliases) text += ", --" + other;
    const std::string shown = option.metavar.empty() ? "" : option.show();
    std::string help = option.help;
    if (option.required) help += " (required)";
    if (!option.required && !shown.empty()) help += " (default: " + shown + ")";
    text += "\n" + std::string(kIndent, ' ') + wrap(help, kIndent, kWidth) + "\n";
  }
  return text;
}

}  // namespace bertha::cli
