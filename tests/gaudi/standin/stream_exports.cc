// Exports: streams, events, copies.

#include <cstring>

#include "gaudi/standin/runtime.h"
#include "gaudi/standin/settings.h"

using namespace bertha::standin;  // NOLINT(google-build-using-namespace): the exports are global

namespace {

/// A checksum that finds changes of a buffer, not attacks.
uint64_t content_of(const std::byte* bytes, uint64_t count) {
  uint64_t hash = 0xCBF29CE484222325;
  for (uint64_t at = 0; at < count; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min<uint64_t>(8, count - at));
    hash = (hash ^ word) * 0x100000001B3;
    hash ^= hash >> 29;
  }
  return hash;
}

std::byte* host_bytes(const Range& range) {
  Runtime::get().host.check(range);
  return reinterpret_cast<std::byte*>(range.begin);
}

struct Copy {
  Range from;
  Range to;
  std::byte* source;
  std::byte* target;
};

void fail_if_asked(bool due) {
  require(!due, kFail, rule::kFault, "this copy fails");
}

/// The source must not change before the copy has read it, which is found where no earlier work may
/// still write to it.
void submit_to_device(Runtime& runtime, Stream& stream, const Copy& copy) {
  std::optional<uint64_t> content;
  if (!runtime.order.pending(copy.from, runtime.host_clock, true)) {
    content = content_of(copy.source, copy.from.bytes);
  }
  const bool due = fault_is_due("copy");
  runtime.submit(
      stream, {.call = "copy to the device",
               .reads = {copy.from},
               .writes = {copy.to},
               .operation = {
                   .call = "synMemCopyAsync",
                   .begin = [copy] { std::memset(copy.target, kPoison, copy.to.bytes); },
                   .work =
                       [copy, content, due] {
                         fail_if_asked(due);
                         require(
                             !content || *content == content_of(copy.source, copy.from.bytes),
                             kFail, rule::kHostMemoryChanged,
                             "the program changed the host memory at {:#x} before its copy to the "
                             "device was complete",
                             copy.from.begin);
                         std::memcpy(copy.target, copy.source, copy.to.bytes);
                       }}});
}

/// The target is poisoned at once where no earlier work may still touch it, so that a program that
/// does not wait reads NaN.
void submit_to_host(Runtime& runtime, Stream& stream, const Copy& copy) {
  const auto poison = [copy] { std::memset(copy.target, kPoison, copy.to.bytes); };
  if (!runtime.order.pending(copy.to, runtime.host_clock, false)) poison();
  const bool due = fault_is_due("copy");
  runtime.submit(stream,
                 {.call = "copy to the host",
                  .reads = {copy.from},
                  .writes = {copy.to},
                  .operation = {.call = "synMemCopyAsync", .begin = poison, .work = [copy, due] {
                                  fail_if_asked(due);
                                  std::memcpy(copy.target, copy.source, copy.to.bytes);
                                }}});
}

void submit_within_device(Runtime& runtime, Stream& stream, const Copy& copy) {
  require(!copy.from.overlaps(copy.to), kInvalidArgument, rule::kArgument,
          "source and target overlap");
  const bool due = fault_is_due("copy");
  runtime.submit(
      stream, {.call = "copy within the device",
               .reads = {copy.from},
               .writes = {copy.to},
               .operation = {.call = "synMemCopyAsync",
                             .begin = [copy] { std::memset(copy.target, kPoison, copy.to.bytes); },
                             .work =
                                 [copy, due] {
                                   fail_if_asked(due);
                                   std::memcpy(copy.target, copy.source, copy.to.bytes);
                                 }}});
}

void submit_copy(Stream& stream, uint64_t from, uint64_t size, uint64_t to, int32_t direction) {
  Runtime& runtime = Runtime::get();
  DeviceMemory& memory = runtime.acquired().memory;
  require(size > 0, kInvalidArgument, rule::kArgument, "the size is 0");
  Copy copy{.from = {from, size}, .to = {to, size}, .source = nullptr, .target = nullptr};
  switch (direction) {
    case kHostToDevice:
      copy.source = host_bytes(copy.from);
      copy.target = memory.at(to, size);
      return submit_to_device(runtime, stream, copy);
    case kDeviceToHost:
      copy.source = memory.at(from, size);
      copy.target = host_bytes(copy.to);
      return submit_to_host(runtime, stream, copy);
    case kDeviceToDevice:
      copy.source = memory.at(from, size);
      copy.target = memory.at(to, size);
      return submit_within_device(runtime, stream, copy);
    default:
      refuse(kInvalidArgument, rule::kArgument, "the direction {} is not known", direction);
  }
}

/// A stream for the length of a call, in which no other thread may use it.
struct UsedStream {
  UsedStream(void* handle, std::string_view call) : stream(find(handle)), use(*stream, call) {}
  std::shared_ptr<Stream> stream;
  Stream::Use use;

 private:
  static std::shared_ptr<Stream> find(void* handle) {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.acquired();
    return runtime.streams.get(handle);
  }
};

/// The event as it was recorded last: a later record leaves this copy as it is.
std::shared_ptr<const Event> recorded(void* handle) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  const std::shared_ptr<Event> event = runtime.events.get(handle);
  require(event->signal != nullptr, kInvalidArgument, rule::kEventRecord,
          "the event was never recorded");
  return std::make_shared<Event>(*event);
}

}  // namespace

int32_t synStreamCreateGeneric(void** stream, uint32_t device, uint32_t flags) {
  return answer("synStreamCreateGeneric", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.acquired(device);
    require(stream != nullptr && flags == 0, kInvalidArgument, rule::kArgument,
            "the pointer is null or there are flags");
    *stream = runtime.streams.add(std::make_shared<Stream>(++runtime.last_stream, settings().seed,
                                                           settings().delay_microseconds));
  });
}

int32_t synStreamDestroy(void* stream) {
  return answer("synStreamDestroy", [&] {
    UsedStream used(stream, "synStreamDestroy");
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    require(used.stream->operations == 0 ||
                runtime.host_clock.covers(used.stream->number(), used.stream->operations) ||
                used.stream->has_failed(),
            kBusy, rule::kMemoryInUse, "work of the stream may still run: wait for it first");
    runtime.streams.remove(stream);
  });
}

int32_t synStreamSynchronize(void* stream) {
  return answer("synStreamSynchronize", [&] {
    UsedStream used(stream, "synStreamSynchronize");
    used.stream->wait();
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.host_clock.join(used.stream->clock);
  });
}

int32_t synStreamQuery(void* stream) {
  Status status = kSuccess;
  const Status refused = answer("synStreamQuery", [&] {
    UsedStream used(stream, "synStreamQuery");
    if (!used.stream->idle()) {
      status = kBusy;
      return;
    }
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.host_clock.join(used.stream->clock);
  });
  return refused != kSuccess ? refused : status;
}

int32_t synStreamWaitEvent(void* stream, void* event, uint32_t flags) {
  return answer("synStreamWaitEvent", [&] {
    UsedStream used(stream, "synStreamWaitEvent");
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    const std::shared_ptr<Event> found = runtime.events.get(event);
    require(flags == 0, kUnsupported, rule::kArgument, "flags are not offered");
    require(found->signal != nullptr, kInvalidArgument, rule::kEventRecord,
            "a stream waits for an event that was never recorded");
    runtime.submit(*used.stream,
                   {.call = "wait for an event",
                    .operation = {.call = "synStreamWaitEvent",
                                  .work = [signal = found->signal] { signal->wait(); }}});
    used.stream->clock.join(found->clock);
  });
}

int32_t synEventCreate(void** event, uint32_t device, uint32_t flags) {
  return answer("synEventCreate", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.acquired(device);
    require(event != nullptr && flags <= 1, kInvalidArgument, rule::kArgument,
            "the pointer is null or the flags are not known");
    *event = runtime.events.add(std::make_shared<Event>(Event{.collects_time = flags == 1}));
  });
}

int32_t synEventRecord(void* event, void* stream) {
  return answer("synEventRecord", [&] {
    UsedStream used(stream, "synEventRecord");
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    const std::shared_ptr<Event> found = runtime.events.get(event);
    found->signal = std::make_shared<Signal>();
    runtime.submit(
        *used.stream,
        {.call = "record of an event",
         .operation = {.call = "synEventRecord",
                       .work = [signal = found->signal,
                                from = used.stream.get()] { signal->complete(from->failure()); },
                       .always = true}});
    found->clock = used.stream->clock;
  });
}

int32_t synEventSynchronize(void* event) {
  return answer("synEventSynchronize", [&] {
    const std::shared_ptr<const Event> found = recorded(event);
    found->signal->wait();
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.host_clock.join(found->clock);
  });
}

int32_t synEventQuery(void* event) {
  Status status = kSuccess;
  const Status refused = answer("synEventQuery", [&] {
    const std::shared_ptr<const Event> found = recorded(event);
    if (!found->signal->is_complete()) {
      status = kBusy;
      return;
    }
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.host_clock.join(found->clock);
  });
  return refused != kSuccess ? refused : status;
}

int32_t synEventDestroy(void* event) {
  return answer("synEventDestroy", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.events.remove(event);
  });
}

int32_t synEventElapsedTime(uint64_t* nanoseconds, void* start, void* end) {
  return answer("synEventElapsedTime", [&] {
    const std::shared_ptr<const Event> first = recorded(start);
    const std::shared_ptr<const Event> last = recorded(end);
    require(nanoseconds != nullptr && first->collects_time && last->collects_time, kInvalidArgument,
            rule::kEventRecord, "an event was created without the flag that collects times");
    require(first->signal->is_complete() && last->signal->is_complete(), kBusy, rule::kEventRecord,
            "an event is not complete");
    const auto elapsed = last->signal->time() - first->signal->time();
    require(elapsed.count() >= 0, kInvalidArgument, rule::kEventRecord,
            "the second event comes before the first");
    *nanoseconds = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count());
  });
}

int32_t synDeviceSynchronize(uint32_t device) {
  return answer("synDeviceSynchronize", [&] {
    Runtime& runtime = Runtime::get();
    std::vector<std::shared_ptr<Stream>> streams;
    {
      const std::lock_guard lock(runtime.mutex);
      runtime.acquired(device);
      for (const auto& [handle, stream] : runtime.streams.live()) streams.push_back(stream);
    }
    for (const auto& stream : streams) {
      stream->wait();
      const std::lock_guard lock(runtime.mutex);
      runtime.host_clock.join(stream->clock);
    }
  });
}

int32_t synMemCopyAsync(void* stream, uint64_t from, uint64_t size, uint64_t to,
                        int32_t direction) {
  return answer("synMemCopyAsync", [&] {
    UsedStream used(stream, "synMemCopyAsync");
    const std::lock_guard lock(Runtime::get().mutex);
    submit_copy(*used.stream, from, size, to, direction);
  });
}

int32_t synMemCopyAsyncMultiple(void* stream, const uint64_t* from, const uint64_t* sizes,
                                const uint64_t* to, int32_t direction, uint64_t count) {
  return answer("synMemCopyAsyncMultiple", [&] {
    UsedStream used(stream, "synMemCopyAsyncMultiple");
    require(from != nullptr && sizes != nullptr && to != nullptr, kInvalidArgument, rule::kArgument,
            "a pointer is null");
    const std::lock_guard lock(Runtime::get().mutex);
    for (uint64_t i = 0; i < count; ++i) {
      submit_copy(*used.stream, from[i], sizes[i], to[i], direction);
    }
  });
}

int32_t synMemsetD32Async(uint64_t address, uint32_t value, size_t count, void* stream) {
  return answer("synMemsetD32Async", [&] {
    UsedStream used(stream, "synMemsetD32Async");
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    const uint64_t bytes = count * sizeof(value);
    require(count > 0 && bytes / sizeof(value) == count, kInvalidArgument, rule::kArgument,
            "the count is {}", count);
    std::byte* const target = runtime.acquired().memory.at(address, bytes);
    runtime.submit(*used.stream,
                   {.call = "memset",
                    .writes = {{address, bytes}},
                    .operation = {.call = "synMemsetD32Async",
                                  .begin = [=] { std::memset(target, kPoison, bytes); },
                                  .work =
                                      [=] {
                                        for (size_t i = 0; i < count; ++i) {
                                          std::memcpy(target + i * sizeof(value), &value,
                                                      sizeof(value));
                                        }
                                      }}});
  });
}
