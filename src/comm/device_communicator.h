#pragma once

// Sums over ranks that have a card each. nccl/ holds the world that NCCL makes; no_nccl/ stands in
// where the library was absent when this program was built.

#include <memory>

#include "comm/communicator.h"
#include "core/device.h"

namespace bertha::comm {

/// The ranks of `host`, with tensors of `device` summed and shared from card to card; all else goes
/// the way of `host`, which must outlive it, as must the device. Every rank makes it at the same
/// time. Throws Error in a program built without NCCL.
std::unique_ptr<Communicator> make_device_communicator(Communicator& host, Device& device);

/// The same where it is needed; null where `host` itself will do: on CPUs, or with one rank. Throws
/// Error when some ranks have a card and others none.
std::unique_ptr<Communicator> choose_device_communicator(Communicator& host, Device& device);

}  // namespace bertha::comm
