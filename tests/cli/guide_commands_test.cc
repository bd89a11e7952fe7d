// The command lines of the README and of the guide against the option tables: each names a command
// that exists, and options that it takes.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_list.h"
#include "cli/options.h"
#include "core/nearest_name.h"
#include "core/strings.h"
#include "support/files.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

struct CommandLine {
  std::string place;  ///< "install.md:12"
  std::vector<std::string> words;
};

/// The words up to what ends a command in a shell; a word in quotes stays one word.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool begun = false;
  const auto end = [&] {
    if (begun) words.push_back(word);
    word.clear();
    begun = false;
  };
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      begun = true;
    } else if (c == ' ') {
      end();
    } else if (c == '|' || c == ';' || c == '>' || c == '<' || c == '&' || (c == '#' && !begun)) {
      break;
    } else {
      word += c;
      begun = true;
    }
  }
  end();
  return words;
}

/// Every "bertha …" of a line, also behind a launcher or a pipe.
void add_commands(const std::string& line, const std::string& place,
                  std::vector<CommandLine>& commands) {
  static const std::string kProgram = "bertha ";
  for (size_t at = line.find(kProgram); at != std::string::npos; at = line.find(kProgram, at + 1)) {
    const bool starts =
        at == 0 || line[at - 1] == ' ' || line[at - 1] == '/' || line[at - 1] == '(';
    if (!starts) continue;
    const std::vector<std::string> before = words_of(line.substr(0, at));
    // Packages and images have the program's name, too.
    static const std::set<std::string> kOthers = {"install", "--target", "pip", "apt-get",
                                                  "-t",      "rm",       "echo"};
    if (std::ranges::any_of(before, [](const auto& word) { return kOthers.contains(word); }))
      continue;
    commands.push_back({place, words_of(line.substr(at + kProgram.size()))});
  }
}

/// The commands in the blocks of shell code of a page of Markdown.
std::vector<CommandLine> commands_in(const fs::path& page) {
  std::vector<CommandLine> commands;
  std::istringstream lines(test::read_all(page));
  bool fenced = false;  // in a block of any language
  bool code = false;
  std::string joined;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const size_t text = line.find_first_not_of(' ');
    if (text != std::string::npos && line.compare(text, 3, "```") == 0) {
      const bool shell = line.substr(text) == "```sh" || line.substr(text) == "```";
      fenced = !fenced;
      code = fenced && shell;
      continue;
    }
    if (!code) continue;
    joined += line;
    if (joined.ends_with('\\')) {
      joined.back() = ' ';
      continue;
    }
    add_commands(joined, fmt::format("{}:{}", page.filename().string(), number), commands);
    joined.clear();
  }
  return commands;
}

bool is_option(const std::string& word) {
  return word.size() > 2 && word.starts_with("--") && word[2] != '-';
}

/// The page of a command line: of its sub-command where it names one.
CommandPage page_for(const std::vector<std::string>& words) {
  const CommandPage page = page_of(std::vector{words.at(0)});
  const bool sub = words.size() > 1 &&
                   std::ranges::any_of(page.subcommands,
                                       [&](const auto& known) { return known.name == words[1]; });
  return sub ? page_of(std::vector{words[0], words[1]}) : page;
}

std::set<std::string> names_of(const CommandPage& page) {
  std::set<std::string> names = {"--help", "--help-all"};
  for (const OptionRow& option : page.options) {
    names.insert("--" + option.name);
    for (const std::string& other : option.aliases) names.insert(kebab_case("--" + other));
  }
  return names;
}

/// What is wrong with a command line; empty: nothing.
std::string fault_of(const CommandLine& command) {
  const std::string first = command.words.empty() ? "-" : command.words[0];
  if (first.starts_with('-') || first.starts_with("0.")) return "";  // of all, or a version
  if (command.words[0] == "help" || command.words[0].find_first_of("<…") != std::string::npos)
    return "";
  try {
    const std::set<std::string> names = names_of(page_for(command.words));
    for (const std::string& word : command.words) {
      const std::string name = kebab_case(word.substr(0, word.find('=')));
      if (is_option(name) && !names.contains(name)) return name + " is not an option of it";
    }
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

std::vector<fs::path> pages() {
  std::vector<fs::path> pages = {test::tests_path("../README.md")};
  for (const auto& entry : fs::directory_iterator(test::tests_path("../docs/guide"))) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  std::ranges::sort(pages);
  return pages;
}

TEST(GuideCommands, EveryCommandLineOfTheGuideFitsTheTables) {
  size_t count = 0;
  for (const fs::path& page : pages()) {
    for (const CommandLine& command : commands_in(page)) {
      ++count;
      EXPECT_EQ(fault_of(command), "") << command.place << ": bertha " << join(command.words, " ");
    }
  }
  EXPECT_GT(count, 60U) << "the pages have command lines";
}

TEST(GuideCommands, AWrongOptionAndAWrongCommandAreFound) {
  EXPECT_NE(fault_of({"", {"fill", "--no-such-option=1"}}), "");
  EXPECT_NE(fault_of({"", {"fil", "x"}}), "");
  EXPECT_EQ(fault_of({"", {"prepare", "pack", "--input_dir=x"}}), "");
}

TEST(GuideCommands, NoLineOfProseIsLongerThan120Columns) {
  for (const fs::path& page : pages()) {
    std::istringstream lines(test::read_all(page));
    bool code = false;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.find("```") != std::string::npos) code = !code;
      const auto columns = std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; });
      const bool table = line.find('|') != std::string::npos;
      if (code || table) continue;
      EXPECT_LE(columns, 120) << page.filename() << ":" << number;
    }
  }
}

}  // namespace
}  // namespace bertha::cli
