#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <string_view>
#include <system_error>

#include "cli/message_level.h"
#include "core/nearest_name.h"
#include "core/strings.h"
#include "cpython/literals.h"

namespace bertha::cli {

namespace {

const std::vector<std::string> kTruth = {"true", "false"};

template <typename... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

template <typename T>
T parse_number(const std::string& name, const std::string& text, const char* kind) {
  T number{};
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [rest, failure] =
      std::from_chars(begin + (text.starts_with('+') ? 1 : 0), end, number);
  if (failure != std::errc() || rest != end) {
    fail_usage("--{}: expected {}, got \"{}\"", name, kind, text);
  }
  return number;
}

int64_t parse_integer(const std::string& name, const std::string& text) {
  return parse_number<int64_t>(name, text, "a whole number");
}

double parse_real(const std::string& name, const std::string& text) {
  const auto number = parse_number<double>(name, text, "a number");
  if (!std::isfinite(number)) fail_usage("--{}: expected a finite number, got \"{}\"", name, text);
  return number;
}

/// "fp32 or bf16", "nvidia, gaudi or cpu".
std::string alternatives(std::span<const std::string> words) {
  if (words.size() < 2) return join(words, "");
  return join(words.first(words.size() - 1), ", ") + " or " + words.back();
}

/// Throws UsageError unless `text` is one of the words.
void check_choice(const std::string& name, const std::string& text,
                  std::span<const std::string> words) {
  if (std::ranges::find(words, text) != words.end()) return;
  fail_usage("--{} {}: expected {}", name, text.empty() ? "\"\"" : text, alternatives(words));
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

std::string python_truth(bool value) {
  return value ? "True" : "False";
}

std::string python_list(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  quoted.reserve(texts.size());
  for (const std::string& text : texts) quoted.push_back(cpython::repr_str(text));
  return "[" + join(quoted, ", ") + "]";
}

}  // namespace

Options::Options(std::string command, std::string about) {
  described_.command = std::move(command);
  described_.about = std::move(about);
}

Options& Options::example(std::string words, std::string purpose) {
  described_.examples.push_back({std::move(words), std::move(purpose)});
  return *this;
}

Options& Options::subcommand(std::string name, std::string summary) {
  described_.subcommands.push_back({std::move(name), std::move(summary)});
  return *this;
}

Options& Options::heading(std::string title) {
  group_ = std::move(title);
  return *this;
}

Options::Option& Options::add(const std::string& name, ValueKind kind,
                              const std::string& placeholder, const std::string& preset,
                              const std::string& help) {
  Option& option = options_.emplace_back();
  option.name = kebab_case(name);
  option.kind = kind;
  option.placeholder = placeholder;
  option.preset = preset;
  option.help = help;
  option.group = group_;
  return option;
}

Options& Options::value(const std::string& name, std::string& field, const std::string& help) {
  Option& option = add(name, ValueKind::kText, "TEXT", field, help);
  option.set = [&field](const std::string& text) { field = text; };
  option.literal = [&field] { return cpython::repr_str(field); };
  return *this;
}

Options& Options::value(const std::string& name, int64_t& field, const std::string& help) {
  Option& option = add(name, ValueKind::kNumber, "N", std::to_string(field), help);
  option.set = [&field, name = option.name](const std::string& text) {
    field = parse_integer(name, text);
  };
  option.literal = [&field] { return std::to_string(field); };
  return *this;
}

Options& Options::value(const std::string& name, double& field, const std::string& help) {
  Option& option = add(name, ValueKind::kNumber, "X", fmt::format("{}", field), help);
  option.set = [&field, name = option.name](const std::string& text) {
    field = parse_real(name, text);
  };
  option.literal = [&field] { return cpython::repr_float(field); };
  return *this;
}

Options& Options::value(const std::string& name, bool& field, const std::string& help) {
  Option& option = add(name, ValueKind::kChoice, "true|false", field ? "true" : "false", help);
  option.choices = kTruth;
  option.set = [&field, name = option.name](const std::string& text) {
    const std::string word = lower_ascii(text);
    if (word != "true" && word != "false") check_choice(name, text, kTruth);
    field = word == "true";
  };
  option.literal = [&field] { return python_truth(field); };
  return *this;
}

Options& Options::value(const std::string& name, std::optional<std::string>& field,
                        const std::string& help) {
  Option& option = add(name, ValueKind::kText, "TEXT", field.value_or(""), help);
  option.set = [&field](const std::string& text) { field = text; };
  option.literal = [&field] { return field ? cpython::repr_str(*field) : "None"; };
  return *this;
}

Options& Options::value(const std::string& name, std::optional<int64_t>& field,
                        const std::string& help) {
  Option& option =
      add(name, ValueKind::kNumber, "N", field ? std::to_string(*field) : std::string(), help);
  option.set = [&field, name = option.name](const std::string& text) {
    field = parse_integer(name, text);
  };
  option.literal = [&field] { return field ? std::to_string(*field) : "None"; };
  return *this;
}

Options& Options::choice(const std::string& name, std::string& field,
                         std::vector<std::string> words, const std::string& help) {
  value(name, field, help);
  Option& option = options_.back();
  option.kind = ValueKind::kChoice;
  option.placeholder = join(words, "|");
  option.choices = words;
  option.set = [&field, name = option.name, words = std::move(words)](const std::string& text) {
    check_choice(name, text, words);
    field = text;
  };
  return *this;
}

Options& Options::as_path(ValueKind kind, const char* placeholder) {
  options_.back().kind = kind;
  options_.back().placeholder = placeholder;
  return *this;
}

Options& Options::file(const std::string& name, std::string& field, const std::string& help) {
  return value(name, field, help).as_path(ValueKind::kFile, "FILE");
}

Options& Options::file(const std::string& name, std::optional<std::string>& field,
                       const std::string& help) {
  return value(name, field, help).as_path(ValueKind::kFile, "FILE");
}

Options& Options::folder(const std::string& name, std::string& field, const std::string& help) {
  return value(name, field, help).as_path(ValueKind::kFolder, "FOLDER");
}

Options& Options::folder(const std::string& name, std::optional<std::string>& field,
                         const std::string& help) {
  return value(name, field, help).as_path(ValueKind::kFolder, "FOLDER");
}

Options& Options::values(const std::string& name, std::vector<std::string>& field,
                         const std::string& help) {
  Option& option = add(name, ValueKind::kText, "TEXT...", join(field, " "), help);
  option.many = true;
  option.set = [&field](const std::string& text) { field.push_back(text); };
  option.literal = [&field] { return python_list(field); };
  return *this;
}

Options& Options::files(const std::string& name, std::vector<std::string>& field,
                        const std::string& help) {
  return values(name, field, help).as_path(ValueKind::kFile, "FILE...");
}

Options& Options::flag(const std::string& name, bool& field, const std::string& help) {
  Option& option = add(name, ValueKind::kNone, "", "", help);
  option.set = [&field](const std::string&) { field = true; };
  option.literal = [&field] { return python_truth(field); };
  return *this;
}

Options& Options::accepted(const std::string& name, bool takes_value, const std::string& why,
                           const std::string& usual) {
  Option& option =
      add(name, takes_value ? ValueKind::kText : ValueKind::kNone, takes_value ? "X" : "", "", why);
  option.accepted_why = why;
  option.hidden = true;
  option.group = "accepted as in the recipe, without effect";
  const auto shown = std::make_shared<std::string>(takes_value ? usual : "False");
  option.set = [shown, takes_value](const std::string& text) {
    *shown = !takes_value ? "True" : is_number(text) ? text : cpython::repr_str(text);
  };
  option.literal = [shown] { return *shown; };
  return *this;
}

Options& Options::alias(const std::string& name, const std::string& of) {
  options_[find(kebab_case(of))].aliases.push_back(kebab_case(name));
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

Options& Options::hidden() {
  options_.back().hidden = true;
  return *this;
}

Options& Options::positional(const std::string& name, std::vector<std::string>& field, size_t least,
                             const std::string& help, ValueKind kind) {
  positional_ = &field;
  positional_least_ = least;
  described_.positional_name = name;
  described_.positional_help = help;
  described_.positional_kind = kind;
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
  if (prefixed.empty()) fail_unknown(typed);
  std::string matches;
  for (const size_t i : prefixed) matches += " --" + options_[i].name;
  fail_usage("--{} could be any of{}", typed, matches);
}

void Options::fail_unknown(const std::string& typed) const {
  std::vector<std::string> names = {"help", "help-all"};
  for (const OptionRow& row : message_options()) names.push_back(row.name);
  for (const Option& option : options_) {
    names.push_back(option.name);
    names.insert(names.end(), option.aliases.begin(), option.aliases.end());
  }
  const std::string nearest = suggestion(typed, names, "--");
  if (!nearest.empty()) fail_usage("unknown option --{}{}", typed, nearest);
  fail_usage("unknown option --{}; {} --help lists all options", typed, described_.command);
}

Options::Option& Options::find_letter(char letter, const std::string& word) {
  const auto found = std::ranges::find(options_, letter, &Option::letter);
  if (found == options_.end()) {
    fail_usage("unknown option -{} in {}; {} --help lists all options", letter, word,
               described_.command);
  }
  return *found;
}

void Options::take(Option& option, const std::optional<std::string>& attached,
                   std::span<const std::string> words, size_t& at) {
  option.given = true;
  if (!option.accepted_why.empty())
    notes_.push_back("--" + option.name + ": " + option.accepted_why);
  if (option.kind == ValueKind::kNone) {
    if (attached) fail_usage("--{} takes no value", option.name);
    return option.set("");
  }
  if (attached) return option.set(*attached);
  if (at + 1 >= words.size() || looks_like_option(words[at + 1])) {
    fail_usage("--{} needs a value ({})", option.name, option.placeholder);
  }
  do {
    option.set(words[++at]);
  } while (option.many && at + 1 < words.size() && !looks_like_option(words[at + 1]));
}

void Options::take_long(std::span<const std::string> words, size_t& at) {
  const std::string& word = words[at];
  const size_t equals = word.find('=');
  Option& option = options_[find(kebab_case(word.substr(2, equals - 2)))];
  take(option, equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1)),
       words, at);
}

void Options::take_letters(std::span<const std::string> words, size_t& at) {
  const std::string& word = words[at];
  for (size_t i = 1; i < word.size();) {
    Option& option = find_letter(word[i++], word);
    const bool value_follows = option.kind != ValueKind::kNone && i < word.size();
    take(option, value_follows ? std::optional(word.substr(i)) : std::nullopt, words, at);
    if (value_follows) break;
  }
}

void Options::take_positional(const std::string& word) {
  if (positional_ != nullptr) return positional_->push_back(word);
  std::vector<std::string> names;
  for (const Subcommand& sub : described_.subcommands) names.push_back(sub.name);
  if (!names.empty()) {
    fail_usage("{}: expected {}, got \"{}\"{}", described_.command, alternatives(names), word,
               suggestion(word, names));
  }
  fail_usage("{}: \"{}\" is not an option, and the command takes options alone", described_.command,
             word);
}

void Options::check_complete() const {
  for (const Option& option : options_) {
    if (option.required && !option.given) {
      fail_usage("{}: --{} is required", described_.command, option.name);
    }
  }
  if (positional_ != nullptr && positional_->size() < positional_least_) {
    fail_usage("{}: {} is required: {}", described_.command, described_.positional_name,
               described_.positional_help);
  }
}

void Options::parse(std::span<const std::string> arguments) {
  bool only_positional = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (!only_positional && word == "--") {
      only_positional = true;
    } else if (only_positional || !looks_like_option(word)) {
      take_positional(word);
    } else if (word == "--help" || word == "-h" || kebab_case(word) == "--help-all") {
      throw HelpRequested{page(), kebab_case(word) == "--help-all"};
    } else if (!has_own(word) && take_message_option(arguments, i)) {
      continue;
    } else if (word.starts_with("--")) {
      take_long(arguments, i);
    } else {
      take_letters(arguments, i);
    }
  }
  check_complete();
}

bool Options::has_own(const std::string& word) const {
  const std::string name = kebab_case(word.substr(0, word.find('=')));
  return std::ranges::any_of(options_, [&](const Option& option) {
    return name == "--" + option.name || (name.size() == 2 && name[1] == option.letter);
  });
}

CommandPage Options::page() const {
  CommandPage page = described_;
  page.options.assign(options_.begin(), options_.end());
  // A command that only passes words on to its sub-commands has no options itself.
  if (options_.empty() && positional_ == nullptr) return page;
  for (OptionRow& row : message_options()) {
    if (has_own("--" + row.name)) continue;
    if (row.letter != 0 && has_own(std::string("-") + row.letter)) row.letter = 0;
    page.options.push_back(std::move(row));
  }
  return page;
}

bool Options::given(const std::string& name) const {
  return options_[find(kebab_case(name))].given;
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

}  // namespace bertha::cli
