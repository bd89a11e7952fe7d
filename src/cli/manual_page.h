#pragma once

#include <string>

#include "cli/command_page.h"

namespace bertha::cli {

/// The manual page of a command in troff with the macros of man(7). It holds no date, so the same
/// program prints the same bytes.
std::string manual_page(const CommandPage& page);

}  // namespace bertha::cli
