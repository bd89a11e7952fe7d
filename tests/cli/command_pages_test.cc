// Help, completion and manual pages against the option tables of all commands.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_list.h"
#include "cli/completion_scripts.h"
#include "cli/help_text.h"
#include "cli/manual_page.h"
#include "cli/options.h"
#include "cli/reference_page.h"
#include "program.h"
#include "support/files.h"

namespace bertha::cli {
namespace {

/// What a shell command prints, errors too; its status in `status`.
std::string shell(const std::string& command, int& status) {
  std::FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");  // NOLINT(cert-env33-c)
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  status = WEXITSTATUS(::pclose(pipe));
  return output;
}

bool has_tool(const std::string& name) {
  int status = 0;
  shell("command -v " + name, status);
  return status == 0;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

class CommandPages : public testing::Test {
 protected:
  const std::vector<CommandPage> pages_ = all_pages();
  test::TemporaryFolder folder_;

  std::string file_with(const std::string& name, const std::string& text) const {
    test::write_all(folder_.file(name), text);
    return folder_.file(name);
  }
};

TEST_F(CommandPages, CoverAllCommandsAndSubcommands) {
  std::set<std::string> names;
  for (const CommandPage& page : pages_) {
    EXPECT_TRUE(names.insert(page.command).second) << page.command;
    EXPECT_FALSE(page.summary.empty()) << page.command;
    EXPECT_TRUE(page.about.ends_with('.')) << page.command;
  }
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.contains(fmt::format("bertha {}", command.name))) << command.name;
  }
  for (const char* name : {"bertha prepare extract", "bertha prepare verify", "bertha squad score",
                           "bertha squad features", "bertha k8s render"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST_F(CommandPages, OptionNamesAreKebabCaseAndUnique) {
  for (const CommandPage& page : pages_) {
    std::set<std::string> names;
    for (const OptionRow& option : page.options) {
      EXPECT_EQ(option.name.find('_'), std::string::npos) << page.command << " " << option.name;
      EXPECT_TRUE(names.insert(option.name).second) << page.command << " " << option.name;
      for (const std::string& other : option.aliases) {
        EXPECT_TRUE(names.insert(other).second) << page.command << " " << other;
      }
    }
  }
}

TEST_F(CommandPages, HelpNamesNoOptionWithUnderscores) {
  for (const CommandPage& page : pages_) {
    for (const std::string& word : words_of(help_text(page, 100, true))) {
      const bool option = word.starts_with("--") && word.find('_') < word.find('=');
      EXPECT_FALSE(option) << page.command << ": " << word;
    }
  }
}

/// The option of the page that an example's word names, or null.
const OptionRow* option_of(const CommandPage& page, const std::string& word) {
  const std::string name = word.substr(2, word.find('=') - 2);
  const auto found = std::ranges::find_if(page.options, [&](const OptionRow& option) {
    return option.name == name || std::ranges::count(option.aliases, name) > 0;
  });
  return found == page.options.end() ? nullptr : &*found;
}

TEST_F(CommandPages, ExamplesUseOptionsOfTheTableAndAllRequiredOnes) {
  for (const CommandPage& page : pages_) {
    EXPECT_TRUE(page.options.empty() || !page.examples.empty()) << page.command;
    for (const Example& example : page.examples) {
      EXPECT_NE((example.words + " ").find(page.command + " "), std::string::npos) << example.words;
      std::set<std::string> given;
      for (const std::string& word : words_of(example.words)) {
        if (!word.starts_with("--")) continue;
        const OptionRow* option = option_of(page, word);
        ASSERT_NE(option, nullptr) << page.command << ": " << word;
        EXPECT_FALSE(option->hidden) << page.command << ": " << word;
        given.insert(option->name);
      }
      for (const OptionRow& option : page.options) {
        EXPECT_TRUE(!option.required || given.contains(option.name)) << example.words;
      }
    }
  }
}

TEST_F(CommandPages, CompletionsNameEveryShownOptionAndNoHiddenOne) {
  const CommandPage program = program_page();
  for (const CommandPage& page : pages_) {
    const std::vector<CommandPage> one = {page};
    const std::string bash = bash_completion(program, one);
    const std::string zsh = zsh_completion(program, one);
    const std::string fish = fish_completion(program, one);
    const std::vector<std::string> in_bash = words_of(bash.substr(bash.find("*) words=")));
    for (const OptionRow& option : page.options) {
      const bool shown = !option.hidden;
      EXPECT_EQ(fish.find(" -l " + option.name + " ") != std::string::npos, shown) << option.name;
      const bool found_in_zsh = zsh.find("--" + option.name + "=") != std::string::npos ||
                                zsh.find("--" + option.name + "[") != std::string::npos;
      EXPECT_EQ(found_in_zsh, shown) << page.command << " " << option.name;
      EXPECT_EQ(std::ranges::count(words_of(bash), "--" + option.name) +
                        std::ranges::count(words_of(bash), "words='--" + option.name) >
                    0,
                shown)
          << page.command << " " << option.name;
    }
  }
}

/// What bash offers for a command line whose last word is being typed.
std::string bash_offers(const std::string& script, const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += " \"" + word + "\"";
  int status = 0;
  return shell(fmt::format("bash -c 'compopt() {{ :; }}; source {}; COMP_WORDS=({}); "
                           "COMP_CWORD={}; _bertha; printf \"%s \" \"${{COMPREPLY[@]}}\"'",
                           script, line, words.size() - 1),
               status);
}

TEST_F(CommandPages, BashCompletesCommandsOptionsAndValues) {
  const std::string script = file_with("bertha.bash", bash_completion(program_page(), pages_));
  int status = 0;
  EXPECT_EQ(shell("bash -n " + script, status), "");
  EXPECT_EQ(status, 0);
  EXPECT_EQ(bash_offers(script, {"bertha", "pret"}), "pretrain ");
  EXPECT_EQ(bash_offers(script, {"bertha", "prepare", "ver"}), "verify ");
  EXPECT_EQ(bash_offers(script, {"bertha", "prepare", "verify", "--inp"}), "--input-dir ");
  EXPECT_EQ(bash_offers(script, {"bertha", "pretrain", "--learning_r"}), "--learning-rate ");
  EXPECT_EQ(bash_offers(script, {"bertha", "pretrain", "--optimizer", ""}), "lamb adamw ");
  EXPECT_EQ(bash_offers(script, {"bertha", "pretrain", "--optimizer", "=", "ad"}), "adamw ");
  EXPECT_EQ(bash_offers(script, {"bertha", "pretrain", "--optimizer", "="}), "lamb adamw ");
  EXPECT_EQ(bash_offers(script, {"bertha", "pretrain", "--seed", ""}), " ");
  const std::string some_file = file_with("weights.pt", "x");
  EXPECT_EQ(bash_offers(script, {"bertha", "inspect", folder_.file("weigh")}), some_file + " ");
  EXPECT_EQ(bash_offers(script, {"bertha", "pretrain", "--config-file", folder_.file("weigh")}),
            some_file + " ");
}

TEST_F(CommandPages, ZshAndFishReadTheirCompletions) {
  const std::string zsh = file_with("_bertha", zsh_completion(program_page(), pages_));
  const std::string fish = file_with("bertha.fish", fish_completion(program_page(), pages_));
  int status = 0;
  if (has_tool("zsh")) {
    EXPECT_EQ(shell("zsh -n " + zsh, status), "");
  }
  EXPECT_EQ(status, 0);
  if (has_tool("fish")) {
    EXPECT_EQ(shell("fish -n " + fish, status), "");
  }
  EXPECT_EQ(status, 0);
}

TEST_F(CommandPages, ManualPagesNameEveryOptionWithItsHelp) {
  for (const CommandPage& page : pages_) {
    const std::string text = manual_page(page);
    EXPECT_EQ(text.rfind(".TH BERTHA\\-", 0), 0U) << page.command;
    for (const OptionRow& option : page.options) {
      std::string name = "--" + option.name;
      for (size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2) {
        name.insert(at, "\\");
      }
      EXPECT_NE(text.find("\\fB" + name + "\\fR"), std::string::npos) << name;
    }
    EXPECT_EQ(manual_page(page), text);
  }
}

TEST_F(CommandPages, ManualPagesHaveNoFaultThatManOrMandocReports) {
  std::vector<CommandPage> all = pages_;
  all.push_back(program_page());
  for (const CommandPage& page : all) {
    const std::string path = file_with("page.1", manual_page(page));
    int status = 0;
    if (has_tool("groff")) {
      EXPECT_EQ(shell("groff -man -ww -Tutf8 -z " + path, status), "") << page.command;
    }
    // A page without a date is the same in every build.
    if (has_tool("mandoc")) {
      EXPECT_EQ(
          shell("mandoc -T lint -W warning " + path + " | grep -v 'missing date' || true", status),
          "")
          << page.command;
    }
  }
}

std::string error_of(const std::vector<std::string>& words) {
  try {
    page_of(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(CommandList, AnUnknownCommandNamesTheNearestOne) {
  EXPECT_EQ(error_of({"pretrian"}), "unknown command \"pretrian\"; did you mean pretrain?");
  EXPECT_EQ(error_of({"zzz"}), "unknown command \"zzz\"; bertha --help lists them");
  EXPECT_EQ(error_of({"prepare", "instnces"}),
            "bertha prepare has no command \"instnces\"; did you mean instances?");
  EXPECT_NE(error_of({"fill", "x"}), "");
}

TEST(CommandList, AScriptOfTheRecipeIsAnsweredWithItsCommand) {
  EXPECT_EQ(error_of({"run_pretraining.py"}),
            "\"run_pretraining.py\" of the recipe is bertha pretrain here");
  EXPECT_EQ(error_of({"./run_squad.py"}), "\"./run_squad.py\" of the recipe is bertha squad here");
  EXPECT_EQ(error_of({"run_squad"}), "\"run_squad\" of the recipe is bertha squad here");
  EXPECT_EQ(error_of({"pack_pretraining_data_pytorch.py"}),
            "\"pack_pretraining_data_pytorch.py\" of the recipe is bertha prepare pack here");
}

TEST_F(CommandPages, TheReferenceIsThatOfTheTables) {
  EXPECT_EQ(test::read_all(test::tests_path("../docs/reference/commands.md")),
            reference_page(all_pages()))
      << "bertha completion markdown > docs/reference/commands.md";
}

}  // namespace
}  // namespace bertha::cli
