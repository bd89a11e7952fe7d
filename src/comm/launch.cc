#include "comm/launch.h"

#include <cstdlib>

#include "core/error.h"

namespace bertha::comm {
namespace {

bool above_one(const std::string& number) {
  return !number.empty() && number != "0" && number != "1";
}

}  // namespace

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Launch find_launch(Environment environment) {
  for (const char* size : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"}) {
    if (above_one(environment(size))) return {true, size};
  }
  const bool pmix = !environment("PMIX_RANK").empty() || !environment("PMI_FD").empty();
  if (above_one(environment("SLURM_STEP_NUM_TASKS"))) {
    if (pmix) return {true, "SLURM_STEP_NUM_TASKS"};
    if (environment("OMPI_MCA_ess").empty()) {
      fail(
          "srun started {} processes that cannot find each other; add --mpi=pmix (see srun "
          "--mpi=list), or use mpirun",
          environment("SLURM_STEP_NUM_TASKS"));
    }
  }
  return {};
}

}  // namespace bertha::comm
