#pragma once

// The commands of the program, one file each. A command gets the words after its name and returns
// the exit status; what a user can mend is thrown as Error and printed by main as one line.

#include <span>
#include <string>

namespace bertha::cli {

using Arguments = std::span<const std::string>;

int run_fill(Arguments arguments);
int run_prepare(Arguments arguments);
int run_pretrain(Arguments arguments);
int run_tokenize(Arguments arguments);
int run_vocab(Arguments arguments);

}  // namespace bertha::cli
