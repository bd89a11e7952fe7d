// Memory, streams, events and copies of the stand-in: what a correct program gets, and each wrong
// program that it must find.

#include <cmath>
#include <cstring>
#include <thread>

#include "gaudi/standin_program.h"

namespace bertha::standin::test {
namespace {

TEST(StandinDevice, OneDeviceForAProcess) {
  run_in_child({}, [] {
    const Program program;
    uint32_t second = 0;
    program.expect_refusal(STANDIN_CALL(program.library(), synDeviceAcquireByModuleId)(&second, 1),
                           kAlreadyAcquired, "one-device");
    program.must(STANDIN_CALL(program.library(), synDeviceRelease)(program.device()));
    program.must(STANDIN_CALL(program.library(), synDeviceAcquireByModuleId)(&second, 1));
  });
}

TEST(StandinDevice, NoDevice) {
  run_in_child({{"BERTHA_STANDIN_DEVICES", "0"}}, [] {
    const Library library;
    EXPECT_EQ(STANDIN_CALL(library, synInitialize)(), kSuccess);
    uint32_t device = 0;
    EXPECT_EQ(STANDIN_CALL(library, synDeviceGetCount)(&device), kSuccess);
    EXPECT_EQ(device, 0);
    EXPECT_EQ(STANDIN_CALL(library, synDeviceAcquireByModuleId)(&device, 0), kNoDevice);
  });
}

TEST(StandinDevice, KindAndModules) {
  run_in_child({{"BERTHA_STANDIN_DEVICES", "3"}, {"BERTHA_STANDIN_TYPE", "gaudi"}}, [] {
    const Program program;
    uint32_t modules[3] = {9, 9, 9};
    uint32_t count = 3;
    program.must(STANDIN_CALL(program.library(), synDeviceGetModuleIDs)(modules, &count));
    EXPECT_EQ(count, 3);
    EXPECT_EQ(modules[2], 2);
    DeviceInfo info{};
    program.must(STANDIN_CALL(program.library(), synDeviceGetInfo)(program.device(), &info));
    EXPECT_EQ(info.type, kGaudi);
    const int32_t attributes[] = {kAddressAlignment, kDeviceTypeAttribute};
    uint64_t values[2] = {};
    program.must(STANDIN_CALL(program.library(), synDeviceGetAttribute)(values, attributes, 2,
                                                                        program.device()));
    EXPECT_EQ(values[0], 128);
    EXPECT_EQ(values[1], kGaudi);
  });
}

TEST(StandinDevice, CallsBeforeInitialize) {
  run_in_child({}, [] {
    const Library library;
    uint32_t count = 0;
    EXPECT_EQ(STANDIN_CALL(library, synDeviceGetCount)(&count), kFail);
    EXPECT_EQ(STANDIN_CALL(library, synInitialize)(), kSuccess);
    EXPECT_EQ(STANDIN_CALL(library, synInitialize)(), kAlreadyInitialized);
  });
}

TEST(StandinDevice, WrongSetting) {
  run_in_child({{"BERTHA_STANDIN_FAULT", "lunch=3"}}, [] {
    const Library library;
    EXPECT_EQ(STANDIN_CALL(library, synInitialize)(), kInvalidArgument);
  });
}

TEST(StandinMemory, LimitAndFreeing) {
  run_in_child({{"BERTHA_STANDIN_MEMORY_MB", "1"}}, [] {
    const Program program;
    const uint64_t first = program.device_memory(1 << 19);
    EXPECT_EQ(first % 128, 0);
    uint64_t second = 0;
    program.expect_refusal(STANDIN_CALL(program.library(), synDeviceMalloc)(
                               program.device(), (1 << 19) + 1, 0, 0, &second),
                           kOutOfDeviceMemory, "memory-limit");
    program.must(STANDIN_CALL(program.library(), synDeviceFree)(program.device(), first, 0));
    program.must(
        STANDIN_CALL(program.library(), synDeviceMalloc)(program.device(), 1 << 20, 0, 0, &second));
    EXPECT_NE(first, second);
    program.expect_refusal(
        STANDIN_CALL(program.library(), synDeviceFree)(program.device(), first, 0),
        kInvalidArgument, "memory-range");
    uint64_t free = 1;
    uint64_t total = 0;
    program.must(
        STANDIN_CALL(program.library(), synDeviceGetMemoryInfo)(program.device(), &free, &total));
    EXPECT_EQ(free, 0);
    EXPECT_EQ(total, 1 << 20);
  });
}

TEST(StandinMemory, CopiesThereAndBack) {
  run_in_child({}, [] {
    const Program program;
    const uint64_t address = program.place({.type = kF32, .sizes = {3}, .data = {1, -2, 3.5}});
    EXPECT_EQ(program.fetch(kF32, 3, address), (std::vector<double>{1, -2, 3.5}));
    const uint64_t second = program.device_memory(12);
    program.must(STANDIN_CALL(program.library(), synMemCopyAsync)(program.stream(), address, 12,
                                                                  second, kDeviceToDevice));
    EXPECT_EQ(program.fetch(kF32, 3, second), (std::vector<double>{1, -2, 3.5}));
    program.must(STANDIN_CALL(program.library(), synMemsetD32Async)(second, 0x40000000, 2,
                                                                    program.stream()));
    EXPECT_EQ(program.fetch(kF32, 3, second), (std::vector<double>{2, 2, 3.5}));
  });
}

TEST(StandinMemory, SeveralCopiesInOneCall) {
  run_in_child({}, [] {
    const Program program;
    std::byte* const host = program.host_memory(8);
    const float values[] = {5, 6};
    std::memcpy(host, values, sizeof(values));
    const uint64_t address = program.device_memory(256);
    const uint64_t from[] = {reinterpret_cast<uint64_t>(host),
                             reinterpret_cast<uint64_t>(host + 4)};
    const uint64_t to[] = {address, address + 128};
    const uint64_t sizes[] = {4, 4};
    program.must(STANDIN_CALL(program.library(), synMemCopyAsyncMultiple)(
        program.stream(), from, sizes, to, kHostToDevice, 2));
    EXPECT_EQ(program.fetch(kF32, 1, address + 128)[0], 6);
  });
}

TEST(StandinMemory, CopyPastTheEnd) {
  run_in_child({}, [] {
    const Program program;
    std::byte* const host = program.host_memory(512);
    const uint64_t address = program.device_memory(256);
    program.expect_refusal(program.to_device(program.stream(), host, address + 128, 256),
                           kInvalidArgument, "memory-range");
    program.expect_refusal(program.to_host(program.stream(), address, host + 384, 256),
                           kInvalidArgument, "pinned-host-memory");
  });
}

TEST(StandinMemory, HostMemoryMustBePinned) {
  run_in_child({}, [] {
    const Program program;
    std::vector<std::byte> ours(256);
    const uint64_t address = program.device_memory(256);
    program.expect_refusal(program.to_device(program.stream(), ours.data(), address, 256),
                           kInvalidArgument, "pinned-host-memory");
    program.must(STANDIN_CALL(program.library(), synHostMap)(program.device(), 256, ours.data()));
    program.must(program.to_device(program.stream(), ours.data(), address, 256));
    program.must(program.wait(program.stream()));
    program.must(STANDIN_CALL(program.library(), synHostUnmap)(program.device(), ours.data()));
    program.expect_refusal(program.to_device(program.stream(), ours.data(), address, 256),
                           kInvalidArgument, "pinned-host-memory");
  });
}

TEST(StandinMemory, NewMemoryIsNan) {
  run_in_child({}, [] {
    const Program program;
    EXPECT_TRUE(std::isnan(program.fetch(kF32, 4, program.device_memory(16))[3]));
    EXPECT_TRUE(std::isnan(program.fetch(kBf16, 4, program.device_memory(8))[3]));
  });
}

TEST(StandinMemory, FreeingWhileWorkRuns) {
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "20000"}}, [] {
    const Program program;
    std::byte* const host = program.host_memory(256);
    const uint64_t address = program.device_memory(256);
    program.must(program.to_device(program.stream(), host, address, 256));
    program.expect_refusal(
        STANDIN_CALL(program.library(), synDeviceFree)(program.device(), address, 0), kBusy,
        "memory-in-use");
    program.expect_refusal(STANDIN_CALL(program.library(), synHostFree)(program.device(), host, 0),
                           kBusy, "memory-in-use");
    program.must(program.wait(program.stream()));
    program.must(STANDIN_CALL(program.library(), synDeviceFree)(program.device(), address, 0));
    program.must(STANDIN_CALL(program.library(), synHostFree)(program.device(), host, 0));
  });
}

TEST(StandinStream, ReadsNanBeforeTheCopyHasLanded) {
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "100000"}, {"BERTHA_STANDIN_SEED", "3"}}, [] {
    const Program program;
    const uint64_t address = program.place({.type = kF32, .sizes = {1}, .data = {7}});
    std::byte* const host = program.host_memory(4);
    std::memset(host, 0, 4);
    program.must(program.to_host(program.stream(), address, host, 4));
    EXPECT_TRUE(std::isnan(from_bytes(kF32, host, 1)[0]));
    program.must(program.wait(program.stream()));
    EXPECT_EQ(from_bytes(kF32, host, 1)[0], 7);
  });
}

TEST(StandinStream, FindsHostMemoryThatChangesBeforeItsCopy) {
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "100000"}, {"BERTHA_STANDIN_SEED", "3"}}, [] {
    const Program program;
    std::byte* const host = program.host_memory(4);
    std::memset(host, 0, 4);
    program.must(program.to_device(program.stream(), host, program.device_memory(4), 4));
    host[0] = std::byte{1};
    program.expect_refusal(program.wait(program.stream()), kFail, "host-memory-changed");
  });
}

TEST(StandinStream, TwoStreamsNeedAnOrder) {
  run_in_child({}, [] {
    const Program program;
    void* const other = program.create_stream();
    std::byte* const host = program.host_memory(256);
    std::memset(host, 0, 256);
    std::byte* const back = program.host_memory(256);
    const uint64_t address = program.device_memory(256);
    program.must(program.to_device(program.stream(), host, address, 256));
    program.expect_refusal(program.to_host(other, address, back, 256), kFail,
                           "order-between-streams");
    // Half of the range is a conflict, too, and so is a write after a read.
    program.expect_refusal(program.to_host(other, address + 128, back, 64), kFail,
                           "order-between-streams");
    void* const event = program.create_event();
    program.must(program.record(event, program.stream()));
    program.must(program.wait_for(other, event));
    program.must(program.to_host(other, address, back, 256));
    program.expect_refusal(program.to_device(program.stream(), host, address, 256), kFail,
                           "order-between-streams");
    program.must(program.wait(other));
    program.must(program.to_device(program.stream(), host, address, 256));
    EXPECT_EQ(STANDIN_CALL(program.library(), standin_broken_rules)(), 3);
  });
}

TEST(StandinStream, AnEventCoversOnlyWhatCameBefore) {
  run_in_child({}, [] {
    const Program program;
    void* const other = program.create_stream();
    std::byte* const host = program.host_memory(256);
    std::memset(host, 0, 256);
    const uint64_t address = program.device_memory(256);
    void* const event = program.create_event();
    program.must(program.record(event, program.stream()));
    program.must(program.to_device(program.stream(), host, address, 256));
    program.must(program.wait_for(other, event));
    program.expect_refusal(program.to_host(other, address, program.host_memory(256), 256), kFail,
                           "order-between-streams");
  });
}

TEST(StandinStream, AWaitForAnEventThatWasNeverRecorded) {
  run_in_child({}, [] {
    const Program program;
    program.expect_refusal(program.wait_for(program.stream(), program.create_event()),
                           kInvalidArgument, "event-record");
  });
}

TEST(StandinStream, QueryAndElapsedTime) {
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "100000"}, {"BERTHA_STANDIN_SEED", "3"}}, [] {
    const Program program;
    void* const first = program.create_event(1);
    void* const last = program.create_event(1);
    program.must(program.record(first, program.stream()));
    program.must(
        program.to_host(program.stream(), program.device_memory(4), program.host_memory(4), 4));
    program.must(program.record(last, program.stream()));
    EXPECT_EQ(STANDIN_CALL(program.library(), synStreamQuery)(program.stream()), kBusy);
    EXPECT_EQ(STANDIN_CALL(program.library(), synEventQuery)(last), kBusy);
    program.must(STANDIN_CALL(program.library(), synEventSynchronize)(last));
    EXPECT_EQ(STANDIN_CALL(program.library(), synEventQuery)(last), kSuccess);
    uint64_t nanoseconds = 0;
    program.must(STANDIN_CALL(program.library(), synEventElapsedTime)(&nanoseconds, first, last));
    EXPECT_GT(nanoseconds, 1000);
    program.must(STANDIN_CALL(program.library(), synDeviceSynchronize)(program.device()));
    EXPECT_EQ(STANDIN_CALL(program.library(), synStreamQuery)(program.stream()), kSuccess);
  });
}

TEST(StandinStream, TwoThreadsInOneStream) {
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "100000"}, {"BERTHA_STANDIN_SEED", "3"}}, [] {
    const Program program;
    program.must(
        program.to_host(program.stream(), program.device_memory(4), program.host_memory(4), 4));
    std::atomic<bool> waits = false;
    std::thread waiting([&] {
      waits = true;
      program.must(program.wait(program.stream()));
    });
    while (!waits) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    program.expect_refusal(STANDIN_CALL(program.library(), synStreamQuery)(program.stream()),
                           kInvalidArgument, "threads");
    waiting.join();
  });
}

TEST(StandinStream, DestroyedHandles) {
  run_in_child({}, [] {
    const Program program;
    void* const stream = program.create_stream();
    program.must(STANDIN_CALL(program.library(), synStreamDestroy)(stream));
    program.expect_refusal(program.wait(stream), kInvalidArgument, "handle");
    EXPECT_NE(program.line().find("destroyed stream"), std::string::npos);
    program.expect_refusal(program.wait(program.create_event()), kInvalidArgument, "handle");
    void* const event = program.create_event();
    program.must(STANDIN_CALL(program.library(), synEventDestroy)(event));
    program.expect_refusal(program.record(event, program.stream()), kInvalidArgument, "handle");
  });
}

TEST(StandinStream, ReleaseWaitsForNothing) {
  run_in_child({}, [] {
    const Program program;
    std::byte* const host = program.host_memory(4);
    std::memset(host, 0, 4);
    program.must(program.to_device(program.stream(), host, program.device_memory(4), 4));
    program.expect_refusal(STANDIN_CALL(program.library(), synDeviceRelease)(program.device()),
                           kBusy, "memory-in-use");
    program.must(program.wait(program.stream()));
    program.must(STANDIN_CALL(program.library(), synDeviceRelease)(program.device()));
    program.must(STANDIN_CALL(program.library(), synDestroy)());
  });
}

TEST(StandinFaults, ACopyFailsOnRequest) {
  run_in_child({{"BERTHA_STANDIN_FAULT", "copy=2"}}, [] {
    const Program program;
    const uint64_t address = program.place({.type = kF32, .sizes = {1}, .data = {7}});
    std::byte* const host = program.host_memory(4);
    program.must(program.to_host(program.stream(), address, host, 4));
    program.expect_refusal(program.wait(program.stream()), kFail, "requested-fault");
    // The failure stays with the stream and what waits for it.
    program.must(program.to_host(program.stream(), address, host, 4));
    EXPECT_EQ(program.wait(program.stream()), kFail);
    EXPECT_EQ(STANDIN_CALL(program.library(), standin_broken_rules)(), 0);
  });
}

TEST(StandinFaults, AnAllocationFailsOnRequest) {
  run_in_child({{"BERTHA_STANDIN_FAULT", "memory=2"}}, [] {
    const Program program;
    program.device_memory(128);
    uint64_t address = 0;
    program.expect_refusal(
        STANDIN_CALL(program.library(), synDeviceMalloc)(program.device(), 128, 0, 0, &address),
        kOutOfDeviceMemory, "requested-fault");
    program.device_memory(128);
  });
}

}  // namespace
}  // namespace bertha::standin::test
