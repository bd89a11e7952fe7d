#pragma once

// The option --sandbox of commands that read files of strangers, or requests.

#include <initializer_list>
#include <string>

#include "cli/options.h"
#include "core/confinement.h"

namespace bertha::cli {

struct SandboxChoice {
  std::string mode = "auto";

  void declare(Options& table);

  /// Takes rights from the process (core/confinement.h): before threads start, and before the
  /// command reads its input. Where the kernel does not offer it, throws Error in the mode "on",
  /// and returns false in the mode "auto".
  bool confine_files(const FileRights& rights) const;
  /// The same for system calls.
  bool confine_calls() const;
};

/// The rights of a command that writes these files or folders; an empty name is none.
FileRights rights_to_write(std::initializer_list<std::string> outputs);

}  // namespace bertha::cli
