#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/command_page.h"

namespace bertha::cli {

/// The text of --help: what the command does, examples, then the options in their groups. Lines
/// have at most `width` columns where words allow. `all` shows the hidden options too.
std::string help_text(const CommandPage& page, size_t width, bool all);

/// "-b, --bytes TEXT, --size".
std::string option_heading(const OptionRow& option);
/// The help of an option with "(required)" or its default.
std::string option_explanation(const OptionRow& option);
/// "bertha prepare extract [options] DUMP".
std::string usage_line(const CommandPage& page);

/// Columns of standard output: those of its terminal, else $COLUMNS, else 80; 40 to 100.
size_t help_width();

/// Words of `text` in lines of at most `width` columns. Lines after the first start with `indent`
/// blanks, which count; `ending` is written at the end of every line but the last.
std::string wrap(std::string_view text, size_t indent, size_t width, std::string_view ending = "");

}  // namespace bertha::cli
