#pragma once

#include <memory>

#include "comm/communicator.h"
#include "core/device.h"

namespace bertha::comm {

/// The ranks of `host` with a Gaudi device each; see make_device_communicator().
std::unique_ptr<Communicator> make_hccl_communicator(Communicator& host, Device& device);

}  // namespace bertha::comm
