#pragma once

// How much the program says on standard error. Every command takes -q, -v and --log-level, so these
// options are not rows of the commands' tables.

#include <span>
#include <string>
#include <vector>

#include "cli/command_page.h"

namespace bertha::cli {

/// The words that --log-level takes, from much to little: debug, info, warning, error.
std::vector<std::string> message_levels();
/// Shows messages of this level and above. From warning on, status lines are not shown either.
void set_message_level(const std::string& level);

/// -q, -v and --log-level as the help shows them.
std::vector<OptionRow> message_options();
/// Takes one of these options at `words[at]` and moves `at` to its last word. Returns false where
/// the word is another one. Throws UsageError for a missing or unknown level.
bool take_message_option(std::span<const std::string> words, size_t& at);

}  // namespace bertha::cli
