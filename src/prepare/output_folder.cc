#include "prepare/output_folder.h"

#include <spdlog/spdlog.h>

#include <filesystem>

#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/list_files.h"

namespace bertha::prepare {

namespace fs = std::filesystem;

void make_output_folder(const std::string& path) {
  io::make_folder(path);
  io::remove_leftovers(path);
}

void remove_old_files(const std::string& folder, const std::string& prefix,
                      const std::string& ending) {
  for (const std::string& file : io::list_files(folder, prefix, ending)) fs::remove(file);
}

void remove_leftovers_logged(const std::string& folder) {
  for (const std::string& name : io::remove_leftovers(folder.empty() ? "." : folder)) {
    spdlog::info("removed {}, left by a run that was killed", name);
  }
}

}  // namespace bertha::prepare
