#include "gaudi/standin/runtime.h"

namespace bertha::standin {

uint64_t next_handle_number() {
  static std::atomic<uint64_t> next{0x7A00'0000'0000'0010};
  return next.fetch_add(16);
}

Runtime& Runtime::get() {
  static Runtime& runtime = *new Runtime;
  return runtime;
}

void Runtime::check_initialized() const {
  require(initialized, kFail, rule::kCallOrder, "synInitialize was not called");
}

Device& Runtime::acquired(DeviceId id) {
  check_initialized();
  require(device.has_value() && device->id == id, kInvalidArgument, rule::kCallOrder,
          "device {} is not acquired", id);
  require(!device_lost, kDeviceReset, rule::kFault, "the device is lost");
  return *device;
}

Device& Runtime::acquired() {
  check_initialized();
  require(device.has_value(), kNoDevice, rule::kCallOrder, "no device is acquired");
  return acquired(device->id);
}

void Runtime::submit(Stream& stream, Work work) {
  stream.clock.join(host_clock);
  const Access access{stream.number(), stream.operations + 1, std::string(work.call)};
  for (const Range& range : work.reads) order.check_read(range, access, stream.clock);
  for (const Range& range : work.writes) order.check_write(range, access, stream.clock);
  for (const Range& range : work.reads) order.read(range, access);
  for (const Range& range : work.writes) order.write(range, access);
  ++stream.operations;
  stream.clock.set(stream.number(), stream.operations);
  stream.queue(std::move(work.operation));
}

}  // namespace bertha::standin
