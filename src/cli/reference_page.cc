#include "cli/reference_page.h"

#include <fmt/format.h>

#include <string_view>

#include "cli/help_text.h"

namespace bertha::cli {
namespace {

constexpr size_t kColumns = 110;  ///< of a line of prose

/// Text of Markdown within a cell of a table or a paragraph.
std::string markdown(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_' || c == '[') result += '\\';
    result += c;
  }
  return result;
}

/// The link to a heading, as the viewers of Markdown make it: "bertha-prepare-pack".
std::string anchor_of(std::string command) {
  for (char& c : command) c = c == ' ' ? '-' : c;
  return command;
}

std::string meanings_table(const char* title, const char* head, std::span<const Meaning> meanings) {
  std::string text = fmt::format("## {}\n\n| {} | meaning |\n|---|---|\n", title, head);
  for (const Meaning& meaning : meanings) {
    text += fmt::format("| `{}` | {} |\n", meaning.name, markdown(meaning.text));
  }
  return text + "\n";
}

std::string options_table(const CommandPage& page, bool hidden) {
  std::string text;
  std::string group;
  for (const OptionRow& option : page.options) {
    if (option.hidden != hidden) continue;
    if (text.empty()) {
      text = hidden ? "Options of the recipe, which `--help-all` shows:\n\n" : "";
      text += "| option | meaning |\n|---|---|\n";
    }
    if (option.group != group && !option.group.empty() && !hidden) {
      text += fmt::format("| **{}** | |\n", markdown(option.group));
    }
    group = option.group;
    text += fmt::format("| `{}` | {} |\n", option_heading(option),
                        markdown(option_explanation(option)));
  }
  return text.empty() ? "" : text + "\n";
}

std::string section(const CommandPage& page) {
  std::string text =
      fmt::format("## {}\n\n{}\n\n", page.command, wrap(markdown(page.about), 0, kColumns));
  text += fmt::format("```\n{}\n```\n\n", usage_line(page));
  if (!page.positional_name.empty()) {
    text += wrap(fmt::format("`{}`: {}", page.positional_name, markdown(page.positional_help)), 0,
                 kColumns) +
            "\n\n";
  }
  for (const Example& example : page.examples) {
    text += fmt::format("{}:\n\n```sh\n{}\n```\n\n", markdown(example.purpose),
                        wrap(example.words, 4, 100, " \\"));
  }
  for (const Subcommand& sub : page.subcommands) {
    text += fmt::format("- [{0} {1}](#{2}): {3}\n", page.command, sub.name,
                        anchor_of(page.command + " " + sub.name), markdown(sub.summary));
  }
  if (!page.subcommands.empty()) text += "\n";
  return text + options_table(page, false) + options_table(page, true);
}

}  // namespace

std::string reference_page(std::span<const CommandPage> pages) {
  std::string text =
      "# Commands\n\n"
      "This page is made from the program's own tables: "
      "`bertha completion markdown > docs/reference/commands.md`.\n`-` and `_` mean the same in "
      "the "
      "name of an option. `bertha COMMAND --help` shows the same on a terminal.\n\n";
  for (const CommandPage& page : pages) {
    text += fmt::format("- [{}](#{}): {}\n", page.command, anchor_of(page.command),
                        markdown(page.summary));
  }
  text += "\n" + meanings_table("Exit statuses", "status", kExitStatuses);
  text += meanings_table("Environment variables", "name", kEnvironment);
  for (const CommandPage& page : pages) text += section(page);
  text.pop_back();
  return text;
}

}  // namespace bertha::cli
