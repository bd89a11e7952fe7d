// Replaces nccl/ when this program is built without NCCL or CUDA.

#include "comm/device_communicator.h"
#include "core/error.h"

namespace bertha::comm {

std::unique_ptr<Communicator> make_device_communicator(Communicator& host, Device& device) {
  fail(
      "{} ranks on {}: this program was built without NCCL, which reduces between GPUs; start one "
      "rank, or add --device cpu",
      host.ranks(), device.description());
}

}  // namespace bertha::comm
