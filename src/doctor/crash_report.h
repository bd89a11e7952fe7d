#pragma once

// What a program leaves that a defect ends (a bad address, a failed check of a library): the file
// bertha-crash-<process>.txt in the current folder, or in that for temporary files. It holds what a
// maintainer needs: version, command, machine, the last messages and the stack of each thread. It
// holds no value of an option but numbers, and nothing of the user's data.

#include <span>
#include <string>
#include <string_view>

namespace bertha::doctor {

/// From now on signals of defects write the report, print where it is, and end the program as
/// before. `words` are those of the command line. Call it once, before threads start.
void watch_for_crashes(std::span<const std::string> words);

/// Keeps a message for the report, which has the last ones.
void remember_message(std::string_view line);

}  // namespace bertha::doctor
