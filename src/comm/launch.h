#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::comm {

/// How this process was started, according to the environment.
struct Launch {
  bool with_others = false;  ///< a launcher of MPI started more than one process
  std::string launcher;      ///< the environment variable that shows it
};

/// Returns the value of a variable, or an empty string when it is not set.
using Environment = std::string (*)(const char* name);
std::string from_environment(const char* name);

/// Throws Error when a scheduler started several processes that cannot communicate (srun without
/// --mpi): each would train alone, and all would write the same files.
Launch find_launch(Environment environment = from_environment);

/// The rank that a launcher gave this process, before MPI says so; 0 without a launcher.
int64_t launched_rank(Environment environment = from_environment);

/// The plugins of mpi/ to try, best first, for the launcher that started this process: "openmpi",
/// "mpich" or the path of a plugin. The variable BERTHA_MPI overrules the launcher.
std::vector<std::string> mpi_plugins_for(Environment environment);

}  // namespace bertha::comm
