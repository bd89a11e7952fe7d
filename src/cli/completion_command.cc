#include <cstdio>
#include <string>
#include <vector>

#include "cli/command_list.h"
#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "cli/manual_page.h"
#include "cli/options.h"
#include "cli/reference_page.h"

namespace bertha::cli {
namespace {

/// The text that the words after `bertha completion` ask for.
std::string completion_text(Arguments words) {
  if (words[0] == "man") return manual_page(page_of(words.subspan(1)));
  if (words.size() > 1) {
    throw UsageError(
        fmt::format("bertha completion {}: \"{}\" is one word too many", words[0], words[1]));
  }
  if (words[0] == "bash") return bash_completion(program_page(), all_pages());
  if (words[0] == "zsh") return zsh_completion(program_page(), all_pages());
  if (words[0] == "fish") return fish_completion(program_page(), all_pages());
  if (words[0] == "markdown") return reference_page(all_pages());
  throw UsageError(fmt::format(
      "bertha completion: expected bash, zsh, fish, man or markdown, got \"{}\"", words[0]));
}

}  // namespace

int run_completion(Arguments arguments) {
  std::vector<std::string> words;
  Options table("bertha completion",
                "Prints completions of commands, options and values for a shell, a manual page in "
                "troff, or the reference of all commands in Markdown. They are made from the "
                "tables that the commands themselves read.");
  table.example("bertha completion bash > ~/.local/share/bash-completion/completions/bertha",
                "Completions for bash; a new shell has them");
  table.example("bertha completion zsh > ~/.zfunc/_bertha",
                "Completions for zsh, with ~/.zfunc in fpath");
  table.example("bertha completion fish > ~/.config/fish/completions/bertha.fish",
                "Completions for fish");
  table.example("bertha completion man pretrain | man -l -", "Read a manual page");
  table.positional(
      "bash|zsh|fish|man|markdown [COMMAND...]", words, 1,
      "the shell, markdown, or man with the words of a command: man, man prepare, man prepare "
      "pack");
  table.parse(arguments);
  std::fputs(completion_text(words).c_str(), stdout);
  return 0;
}

}  // namespace bertha::cli
