#pragma once

#include <span>
#include <string>

#include "cli/command_page.h"

namespace bertha::cli {

/// docs/reference/commands.md: all commands with their options, exit statuses and environment
/// variables, from the tables that the program itself reads.
std::string reference_page(std::span<const CommandPage> pages);

}  // namespace bertha::cli
