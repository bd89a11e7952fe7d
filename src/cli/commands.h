#pragma once

// The commands of the program, one file each. A command gets the words after its name and returns
// the exit status. It throws Error for what a user can correct; main prints it as one line.

#include <span>
#include <string>

namespace bertha::cli {

using Arguments = std::span<const std::string>;

/// Finds the command of argv[1] and runs it: the whole program. Returns the exit status: 0 done, 1
/// an error was printed, 2 the command line is wrong, 75 stopped by a signal after saving.
int run_program(int argc, char** argv);

int run_ask(Arguments arguments);
int run_classify(Arguments arguments);
int run_completion(Arguments arguments);
int run_convert(Arguments arguments);
int run_embed(Arguments arguments);
int run_doctor(Arguments arguments);
int run_download(Arguments arguments);
int run_fill(Arguments arguments);
int run_inspect(Arguments arguments);
int run_k8s(Arguments arguments);
int run_plan(Arguments arguments);
int run_prepare(Arguments arguments);
int run_load(Arguments arguments);
int run_pretrain(Arguments arguments);
int run_serve(Arguments arguments);
int run_squad(Arguments arguments);
int run_tag(Arguments arguments);
int run_tokenize(Arguments arguments);
int run_vocab(Arguments arguments);

}  // namespace bertha::cli
