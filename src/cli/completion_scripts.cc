#include "cli/completion_scripts.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/strings.h"

namespace bertha::cli {
namespace {

/// Names of an option as typed: "--bytes", "--size", "-b".
std::vector<std::string> spellings(const OptionRow& option) {
  std::vector<std::string> names = {"--" + option.name};
  for (const std::string& other : option.aliases) names.push_back("--" + other);
  if (option.letter != 0) names.push_back(fmt::format("-{}", option.letter));
  return names;
}

std::vector<OptionRow> shown_options(const CommandPage& page) {
  std::vector<OptionRow> rows;
  std::ranges::copy_if(page.options, std::back_inserter(rows),
                       [](const OptionRow& option) { return !option.hidden; });
  return rows;
}

std::vector<std::string> subcommand_names(const CommandPage& page) {
  std::vector<std::string> names;
  for (const Subcommand& sub : page.subcommands) names.push_back(sub.name);
  return names;
}

/// `text` with a backslash before each of these characters.
std::string escaped(const std::string& text, std::string_view characters) {
  std::string result;
  for (const char c : text) {
    if (characters.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

/// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// "prepare_extract" of "bertha prepare extract".
std::string identifier(const CommandPage& page) {
  std::string name = page.command;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// bash

constexpr const char* kBashStart =
    R"(# Completions of bertha for bash, made by: bertha completion bash

_bertha() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  # bash splits --name=value at the equals sign.
  if [[ $current == '=' ]]; then
    current=
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD-2]}
  fi
  [[ $current == --* ]] && current=${current//_/-}
  [[ $previous == --* ]] && previous=${previous//_/-}
  local path=bertha words= kind=
  (( COMP_CWORD > 1 )) && path+=" ${COMP_WORDS[1]}"
  if (( COMP_CWORD > 2 )); then
    case "$path ${COMP_WORDS[2]}" in
)";

constexpr const char* kBashEnd = R"(  esac
  COMPREPLY=()
  case $kind in
    file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    text) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
       if [[ $kind == files && $current != -* ]]; then
         compopt -o filenames
         mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current")
       fi ;;
  esac
}
complete -F _bertha bertha
)";

/// The arm of a case statement that says what follows an option: "--input-dir) kind=folder ;;".
std::string bash_value(const OptionRow& option) {
  std::string what = "kind=text";
  if (option.kind == ValueKind::kFile) what = "kind=file";
  if (option.kind == ValueKind::kFolder) what = "kind=folder";
  if (option.kind == ValueKind::kChoice) what = "words=" + quoted(join(option.choices, " "));
  return fmt::format("        {}) {} ;;\n", join(spellings(option), "|"), what);
}

std::string bash_command(const CommandPage& page) {
  std::string values;
  std::vector<std::string> words = subcommand_names(page);
  for (const OptionRow& option : shown_options(page)) {
    for (const std::string& name : spellings(option)) words.push_back(name);
    if (option.kind != ValueKind::kNone) values += bash_value(option);
  }
  if (page.command != "bertha") words.emplace_back("--help");
  const std::string files = page.positional_kind == ValueKind::kFile ? " kind=files" : "";
  return fmt::format(
      "    {})\n      case $previous in\n{}        *) words={}{} ;;\n      esac ;;\n",
      quoted(page.command), values, quoted(join(words, " ")), files);
}

// zsh

/// The text of a description within _arguments: '[' and ']' end it, ':' ends the specification.
std::string zsh_text(const std::string& text) {
  return escaped(text, "\\[]:");
}

std::string zsh_action(ValueKind kind, const std::vector<std::string>& choices) {
  if (kind == ValueKind::kFile) return "_files";
  if (kind == ValueKind::kFolder) return "_files -/";
  if (kind == ValueKind::kChoice) return "(" + join(choices, " ") + ")";
  return " ";
}

std::string zsh_option(const OptionRow& option) {
  std::string lines;
  for (const std::string& name : spellings(option)) {
    const bool valued = option.kind != ValueKind::kNone;
    const std::string sign = !valued ? "" : name.starts_with("--") ? "=" : "+";
    const std::string value = valued ? fmt::format(":{}:{}", zsh_text(option.placeholder),
                                                   zsh_action(option.kind, option.choices))
                                     : "";
    const std::string text = fmt::format("{}{}{}[{}]{}", option.many ? "*" : "", name, sign,
                                         zsh_text(option.help), value);
    lines += fmt::format("    {} \\\n", quoted(text));
  }
  return lines;
}

std::string zsh_subcommand_list(const CommandPage& page) {
  std::string list;
  for (const Subcommand& sub : page.subcommands) {
    list += fmt::format(" {}", quoted(sub.name + ":" + escaped(sub.summary, "\\:")));
  }
  return list;
}

/// The function of a command. A sub-command is taken off the line and has its own function.
std::string zsh_command(const CommandPage& page) {
  std::string text = fmt::format("_{}() {{\n", identifier(page));
  if (!page.subcommands.empty()) {
    text += "  case ${words[2]} in\n";
    for (const Subcommand& sub : page.subcommands) {
      text += fmt::format(
          "    {}) if (( CURRENT > 2 )); then shift words; (( CURRENT-- )); "
          "_{}_{}; return; fi ;;\n",
          sub.name, identifier(page), sub.name);
    }
    text += fmt::format("  esac\n  local -a commands=({})\n", zsh_subcommand_list(page));
    text += "  (( CURRENT == 2 )) && _describe command commands\n";
  }
  text += "  _arguments -s -S \\\n";
  for (const OptionRow& option : shown_options(page)) text += zsh_option(option);
  if (page.command != "bertha") text += "    '--help[explain the command]' \\\n";
  const std::string action = page.positional_kind == ValueKind::kFile ? "_files" : " ";
  text +=
      page.positional_name.empty()
          ? "    && return\n"
          : fmt::format("    {}\n", quoted("*:" + zsh_text(page.positional_name) + ":" + action));
  return text + "}\n\n";
}

// fish

std::string fish_value(const OptionRow& option) {
  if (option.kind == ValueKind::kNone) return "";
  if (option.kind == ValueKind::kFile) return " -r -F";
  if (option.kind == ValueKind::kFolder) return " -x -a '(__fish_complete_directories)'";
  if (option.kind == ValueKind::kChoice) return " -x -a " + quoted(join(option.choices, " "));
  return " -x";
}

/// The condition that the command line is one of this command.
std::string fish_condition(const CommandPage& page) {
  if (page.command == "bertha") return "__fish_use_subcommand";
  std::string condition;
  for (size_t begin = page.command.find(' '); begin != std::string::npos;) {
    const size_t end = page.command.find(' ', begin + 1);
    condition += condition.empty() ? "" : "; and ";
    condition += "__fish_seen_subcommand_from " + page.command.substr(begin + 1, end - begin - 1);
    begin = end;
  }
  if (page.subcommands.empty()) return condition;
  return condition + "; and not __fish_seen_subcommand_from " + join(subcommand_names(page), " ");
}

/// The text in single quotes, where fish knows \\ and \'.
std::string fish_text(const std::string& text) {
  return "'" + escaped(text, "\\'") + "'";
}

std::string fish_command(const CommandPage& page) {
  const std::string start = "complete -c bertha -n " + quoted(fish_condition(page));
  std::string text;
  for (const Subcommand& sub : page.subcommands) {
    text += fmt::format("{} -a {} -d {}\n", start, sub.name, fish_text(sub.summary));
  }
  for (const OptionRow& option : shown_options(page)) {
    std::string names = option.letter == 0 ? "" : fmt::format(" -s {}", option.letter);
    names += " -l " + option.name;
    for (const std::string& other : option.aliases) names += " -l " + other;
    text += fmt::format("{}{}{} -d {}\n", start, names, fish_value(option), fish_text(option.help));
  }
  if (page.positional_kind == ValueKind::kFile) text += start + " -F\n";
  return text;
}

}  // namespace

std::string bash_completion(const CommandPage& program, std::span<const CommandPage> pages) {
  std::string text = kBashStart;
  for (const CommandPage& page : pages) {
    for (const Subcommand& sub : page.subcommands) {
      text += fmt::format("      {}) path+=' {}' ;;\n", quoted(page.command + " " + sub.name),
                          sub.name);
    }
  }
  text += "    esac\n  fi\n  case $path in\n" + bash_command(program);
  for (const CommandPage& page : pages) text += bash_command(page);
  return text + kBashEnd;
}

std::string zsh_completion(const CommandPage& program, std::span<const CommandPage> pages) {
  std::string text = "#compdef bertha\n# Made by: bertha completion zsh\n\n" + zsh_command(program);
  for (const CommandPage& page : pages) text += zsh_command(page);
  return text + "_bertha \"$@\"\n";
}

std::string fish_completion(const CommandPage& program, std::span<const CommandPage> pages) {
  std::string text = "# Made by: bertha completion fish\ncomplete -c bertha -f\n";
  text += fish_command(program);
  for (const CommandPage& page : pages) text += fish_command(page);
  return text;
}

}  // namespace bertha::cli
