#include "cli/sandbox.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <system_error>

#include "core/error.h"

namespace bertha::cli {
namespace {

bool confined(const std::string& mode, bool offered, const char* what) {
  if (!offered && mode == "on") fail("--sandbox on: this kernel does not confine {}", what);
  if (!offered) spdlog::debug("this kernel does not confine {}", what);
  return offered;
}

}  // namespace

void SandboxChoice::declare(Options& table) {
  table.choice("sandbox", mode, {"auto", "on", "off"},
               "give up the right to write other files, start programs and open connections: auto "
               "where the kernel offers it, on or an error, off");
}

bool SandboxChoice::confine_files(const FileRights& rights) const {
  return mode == "off" || confined(mode, bertha::confine_files(rights), "files (Landlock)");
}

bool SandboxChoice::confine_calls() const {
  return mode == "off" || confined(mode, bertha::confine_calls(), "system calls (seccomp)");
}

FileRights rights_to_write(std::initializer_list<std::string> outputs) {
  namespace fs = std::filesystem;
  FileRights rights;
  for (const std::string& output : outputs) {
    if (output.empty()) continue;
    std::error_code error;
    const fs::path path = fs::absolute(output, error);
    // A file is made beside the one that it replaces, which a link may name.
    for (const fs::path& name : {path, fs::weakly_canonical(path, error)}) {
      const bool ends_in_slash = !name.has_filename();
      const fs::path folder = ends_in_slash ? name.parent_path().parent_path() : name.parent_path();
      rights.output_folders.push_back(folder.string());
    }
  }
  return rights;
}

}  // namespace bertha::cli
