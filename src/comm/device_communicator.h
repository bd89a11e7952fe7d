#pragma once

// Collectives between ranks that have one accelerator each. nccl/ has the world that NCCL makes;
// no_nccl/ replaces it when the program is built without the library. hccl/ has that of Gaudi.

#include <memory>

#include "comm/communicator.h"
#include "core/device.h"

namespace bertha::comm {

/// The ranks of `host`, with collectives on tensors of `device` going from GPU to GPU. All other
/// calls go to `host`. `host` and `device` must outlive the result. Every rank calls this at the
/// same time. Throws Error in a program built without NCCL.
std::unique_ptr<Communicator> make_device_communicator(Communicator& host, Device& device);

/// Makes the device communicator where it is needed. Returns null where `host` is sufficient: on
/// CPUs, or with one rank. Throws Error when only some ranks have a GPU.
std::unique_ptr<Communicator> choose_device_communicator(Communicator& host, Device& device);

}  // namespace bertha::comm
