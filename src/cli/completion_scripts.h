#pragma once

// Completions of shells, made from the pages of the commands. Options for the recipe's sake are
// left out. Each script completes commands, sub-commands, options, words of choices, files and
// folders.

#include <span>
#include <string>

#include "cli/command_page.h"

namespace bertha::cli {

/// `program` has the commands as its sub-commands, `pages` are those of all_pages().
std::string bash_completion(const CommandPage& program, std::span<const CommandPage> pages);
std::string zsh_completion(const CommandPage& program, std::span<const CommandPage> pages);
std::string fish_completion(const CommandPage& program, std::span<const CommandPage> pages);

}  // namespace bertha::cli
