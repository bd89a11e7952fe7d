#include "cli/help_text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace bertha::cli {
namespace {

constexpr size_t kIndent = 6;

std::string examples_text(const CommandPage& page, size_t width) {
  std::string text = "Examples\n";
  for (const Example& example : page.examples) {
    text += "  # " + wrap(example.purpose, 4, width) + "\n";
    text += "  " + wrap(example.words, kIndent, width - 2, " \\") + "\n";
  }
  return text + "\n";
}

std::string subcommands_text(const CommandPage& page, size_t width) {
  size_t widest = 0;
  for (const Subcommand& sub : page.subcommands) widest = std::max(widest, sub.name.size());
  std::string text = "\nCommands\n";
  for (const Subcommand& sub : page.subcommands) {
    text += fmt::format("  {:<{}}  {}\n", sub.name, widest, wrap(sub.summary, widest + 4, width));
  }
  return text + wrap(page.command + " COMMAND --help explains one.", 0, width) + "\n";
}

std::string options_text(const CommandPage& page, size_t width, bool hidden) {
  std::string text;
  std::string group;
  bool first = true;
  for (const OptionRow& option : page.options) {
    if (option.hidden != hidden) continue;
    if (first || option.group != group) {
      text += "\n" + (option.group.empty() ? "Options" : option.group) + "\n";
    }
    first = false;
    group = option.group;
    text += "  " + wrap(option_heading(option), kIndent, width) + "\n" + std::string(kIndent, ' ') +
            wrap(option_explanation(option), kIndent, width) + "\n";
  }
  return text;
}

}  // namespace

std::string wrap(std::string_view text, size_t indent, size_t width, std::string_view ending) {
  std::string result;
  size_t column = indent;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (column > indent && column + 1 + end - begin > width) {
      result += std::string(ending) + "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += text.substr(begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return result;
}

std::string option_heading(const OptionRow& option) {
  std::string text = option.letter == 0 ? "" : fmt::format("-{}, ", option.letter);
  text += "--" + option.name;
  for (const std::string& other : option.aliases) text += ", --" + other;
  return text + (option.placeholder.empty() ? "" : " " + option.placeholder);
}

std::string option_explanation(const OptionRow& option) {
  if (option.required) return option.help + " (required)";
  if (option.preset.empty()) return option.help;
  return option.help + " (default: " + option.preset + ")";
}

std::string usage_line(const CommandPage& page) {
  std::string text = page.command;
  if (!page.options.empty()) text += " [options]";
  if (!page.positional_name.empty()) text += " " + page.positional_name;
  if (page.options.empty() && !page.subcommands.empty()) text += " COMMAND";
  return text;
}

std::string help_text(const CommandPage& page, size_t width, bool all) {
  std::string text = wrap(page.about, 0, width) + "\n\n";
  if (!page.examples.empty()) text += examples_text(page, width);
  text += "usage: " + wrap(usage_line(page), 0, width - 7) + "\n";
  if (!page.subcommands.empty()) text += subcommands_text(page, width);
  if (!page.positional_name.empty()) {
    text += "\n  " + page.positional_name + "\n" + std::string(kIndent, ' ') +
            wrap(page.positional_help, kIndent, width) + "\n";
  }
  text += options_text(page, width, false);
  if (all) return text + options_text(page, width, true);
  const auto hidden = std::ranges::count(page.options, true, &OptionRow::hidden);
  if (hidden == 0) return text;
  return text + "\n" +
         wrap(fmt::format("--help-all also shows {} that the recipe's command lines may have.",
                          hidden == 1 ? "one option" : fmt::format("{} options", hidden)),
              0, width) +
         "\n";
}

size_t help_width() {
  long columns = 0;
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  const char* set = std::getenv("COLUMNS");
  if (columns == 0 && set != nullptr) columns = std::strtol(set, nullptr, 10);
  return columns == 0 ? 80 : static_cast<size_t>(std::clamp(columns, 40L, 100L));
}

}  // namespace bertha::cli
