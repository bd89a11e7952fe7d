// Replaces mpi/ when this program is built without MPI.

#include "comm/communicator.h"
#include "comm/launch.h"
#include "core/error.h"

namespace bertha::comm {

std::unique_ptr<Communicator> join_world(const WorldSettings& /*settings*/) {
  const Launch launch = find_launch();
  if (launch.with_others) {
    fail("started with other ranks ({}), but this program was built without MPI", launch.launcher);
  }
  return std::make_unique<Communicator>();
}

}  // namespace bertha::comm
