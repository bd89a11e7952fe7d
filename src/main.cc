#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "cli/commands.h"

namespace {

/// OpenMP's threads spin while they wait for each other unless they are told to sleep. Where
/// anything else runs on the cores, a spinning step takes up to ten times as long; sleeping costs a
/// few microseconds a loop. The library reads its environment when it is loaded, so the program
/// sets it and starts itself again, once; a user's own choice is left alone. By its own path, for
/// the process is to keep the name that `pkill -x bertha` looks for.
void let_waiting_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (unknown || setenv("OMP_WAIT_POLICY", "passive", 0) != 0) return;
  execv(program.c_str(), argv);
}

}  // namespace

int main(int argc, char** argv) {
  let_waiting_threads_sleep(argv);
  return bertha::cli::run_program(argc, argv);
}
