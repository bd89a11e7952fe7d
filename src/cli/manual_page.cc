#include "cli/manual_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>
#include <string_view>

#include "cli/help_text.h"
#include "core/utf8.h"

namespace bertha::cli {
namespace {

/// Text of troff: a backslash is \e, and what is not ASCII is named by its code point. The hyphens
/// of a word that starts with one, or of all words if `literal`, are \-, so that they can be
/// copied. A line must not start with a control character.
std::string troff(std::string_view text, bool literal = false) {
  std::string result;
  bool option = false;
  for (size_t at = 0; at < text.size();) {
    const Decoded next = decode_utf8(text.data() + at, text.data() + text.size());
    const char c = text[at];
    if (at == 0 || text[at - 1] == ' ' || text[at - 1] == '(') option = c == '-';
    if (next.code_point > 0x7f) {
      result += fmt::format("\\[u{:04X}]", static_cast<uint32_t>(next.code_point));
    } else if (c == '-') {
      result += literal || option ? "\\-" : "-";
    } else {
      result += c == '\\' ? "\\e" : c == '\'' ? "\\(aq" : std::string(1, c);
    }
    at += static_cast<size_t>(next.length);
  }
  return result.starts_with('.') ? "\\&" + result : result;
}

std::string page_name(const CommandPage& page) {
  std::string name = page.command;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string option_entry(const OptionRow& option) {
  std::string names = option.letter == 0 ? "" : fmt::format("\\fB\\-{}\\fR, ", option.letter);
  names += "\\fB" + troff("--" + option.name, true) + "\\fR";
  for (const std::string& other : option.aliases)
    names += ", \\fB" + troff("--" + other, true) + "\\fR";
  if (!option.placeholder.empty()) names += " \\fI" + troff(option.placeholder) + "\\fR";
  return ".TP\n" + names + "\n" + troff(option_explanation(option)) + "\n";
}

std::string options_section(const CommandPage& page) {
  std::string text = ".SH OPTIONS\n";
  std::string group;
  for (const bool hidden : {false, true}) {
    for (const OptionRow& option : page.options) {
      if (option.hidden != hidden) continue;
      if (option.group != group)
        text += ".SS " + (option.group.empty() ? "further" : troff(option.group)) + "\n";
      group = option.group;
      text += option_entry(option);
    }
  }
  return text;
}

std::string examples_section(const CommandPage& page) {
  std::string text = ".SH EXAMPLES\n";
  for (const Example& example : page.examples) {
    if (!text.ends_with("EXAMPLES\n")) text += ".PP\n";
    text += troff(example.purpose) + ":\n.PP\n.nf\n" +
            troff(wrap(example.words, 4, 68, " \\"), true) + "\n.fi\n";
  }
  return text;
}

std::string commands_section(const CommandPage& page) {
  std::string text = ".SH COMMANDS\n";
  for (const Subcommand& sub : page.subcommands) {
    text += ".TP\n\\fB" + troff(page_name(page) + "-" + sub.name, true) + "\\fR(1)\n" +
            troff(sub.summary) + "\n";
  }
  return text;
}

/// Commands within texts stand in backticks, which become bold.
std::string with_bold_commands(std::string_view text) {
  std::string result;
  bool command = false;
  for (size_t at = 0; at <= text.size();) {
    const size_t tick = std::min(text.find('`', at), text.size());
    result += troff(text.substr(at, tick - at), command);
    if (tick == text.size()) break;
    command = !command;
    result += command ? "\\fB" : "\\fR";
    at = tick + 1;
  }
  return result;
}

std::string meanings_section(const char* title, std::span<const Meaning> meanings) {
  std::string text = fmt::format(".SH {}\n", title);
  for (const Meaning& meaning : meanings) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", troff(meaning.name, true),
                        with_bold_commands(meaning.text));
  }
  return text;
}

}  // namespace

std::string manual_page(const CommandPage& page) {
  std::string title = page_name(page);
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string text = fmt::format(".TH {} 1 \"\" \"bertha {}\" \"User Commands\"\n",
                                 troff(title, true), BERTHA_VERSION);
  text += fmt::format(".SH NAME\n{} \\- {}\n", troff(page_name(page), true), troff(page.summary));
  text += fmt::format(".SH SYNOPSIS\n\\fB{}\\fR{}\n", troff(page.command),
                      troff(usage_line(page).substr(page.command.size())));
  text += ".SH DESCRIPTION\n" + troff(page.about) + "\n";
  if (!page.positional_name.empty()) {
    text +=
        ".TP\n\\fI" + troff(page.positional_name) + "\\fR\n" + troff(page.positional_help) + "\n";
  }
  if (!page.examples.empty()) text += examples_section(page);
  if (!page.subcommands.empty()) text += commands_section(page);
  if (!page.options.empty()) text += options_section(page);
  text += meanings_section("\"EXIT STATUS\"", kExitStatuses);
  if (page.command == "bertha") return text + meanings_section("ENVIRONMENT", kEnvironment);
  const size_t parent = page.command.rfind(' ');
  std::string above = page.command.substr(0, parent);
  std::replace(above.begin(), above.end(), ' ', '-');
  return text + ".SH \"SEE ALSO\"\n\\fB" + troff(above, true) + "\\fR(1)\n";
}

}  // namespace bertha::cli
