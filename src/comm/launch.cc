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
  // In a Slurm job mpirun starts its daemons with srun, whose variables reach a single rank too.
  if (!environment("OMPI_COMM_WORLD_SIZE").empty()) return {};
  if (above_one(environment("SLURM_STEP_NUM_TASKS"))) {
    if (!environment("PMIX_RANK").empty() || !environment("PMI_FD").empty()) {
      return {true, "SLURM_STEP_NUM_TASKS"};
    }
    fail(
        "srun started {} processes that cannot find each other; add --mpi=pmix (see srun "
        "--mpi=list), or use mpirun",
        environment("SLURM_STEP_NUM_TASKS"));
  }
  return {};
}

int64_t launched_rank(Environment environment) {
  for (const char* rank : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) {
    const std::string value = environment(rank);
    if (!value.empty()) return std::strtoll(value.c_str(), nullptr, 10);
  }
  return 0;
}

std::vector<std::string> mpi_plugins_for(Environment environment) {
  const std::string chosen = environment("BERTHA_MPI");
  if (!chosen.empty()) return {chosen};
  if (!environment("OMPI_COMM_WORLD_SIZE").empty()) return {"openmpi"};
  // Only MPICH's launcher sets the last of these. Slurm sets PMI variables for both libraries.
  if (!environment("MPI_LOCALNRANKS").empty()) return {"mpich"};
  const bool pmi = !environment("PMI_SIZE").empty() || !environment("PMI_FD").empty();
  if (pmi && environment("PMIX_RANK").empty()) return {"mpich", "openmpi"};
  return {"openmpi", "mpich"};
}

}  // namespace bertha::comm
