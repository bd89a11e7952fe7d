#include "comm/device_communicator.h"

#include "comm/hccl/make_hccl_communicator.h"
#include "core/error.h"

namespace bertha::comm {

std::unique_ptr<Communicator> choose_device_communicator(Communicator& host, Device& device) {
  if (host.ranks() == 1) return nullptr;
  const auto own = static_cast<uint64_t>(device.kind());
  const std::vector<uint64_t> kinds = host.all_gather(own, Stage::kStart);
  for (size_t rank = 0; rank < kinds.size(); ++rank) {
    if (kinds[rank] == own) continue;
    fail("rank {} on {} has another kind of device than {}; give --device to all ranks", rank,
         host.host(static_cast<int64_t>(rank)), device.description());
  }
  if (device.kind() == DeviceKind::kGaudi) return make_hccl_communicator(host, device);
  // The host's own communicator reads and writes the tensors where they lie.
  return device.memory() == Memory::kHost ? nullptr : make_device_communicator(host, device);
}

}  // namespace bertha::comm
