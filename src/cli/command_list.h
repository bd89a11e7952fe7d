#pragma once

// The commands of the program, by name, and their pages for help, completion and manuals.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_page.h"
#include "cli/commands.h"

namespace bertha::cli {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments);
};

std::span<const Command> commands();

/// The command of this name. Throws UsageError with the nearest name when there is none. A script
/// of the recipe ("run_pretraining.py") is answered with the command that replaces it.
const Command& find_command(const std::string& name);

/// The page of the whole program: its commands as sub-commands.
CommandPage program_page();
/// The page of a command or sub-command; `words` are {"prepare", "extract"}, or none for the
/// program. Throws UsageError for a name that is not known.
CommandPage page_of(Arguments words);
/// The pages of all commands, each followed by those of its sub-commands.
std::vector<CommandPage> all_pages();

/// Whether a command line asks for --help or --help-all.
bool asks_for_help(Arguments arguments);

}  // namespace bertha::cli
