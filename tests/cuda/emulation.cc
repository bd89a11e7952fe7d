#include "emulation.h"

#include <ucontext.h>

#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

float normcdff(float x) {
  return static_cast<float>(0.5 * std::erfc(-static_cast<double>(x) * M_SQRT1_2));
}

namespace bertha::cuda::emulation {
namespace {

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 96 << 10;

enum class Waits : uint8_t { kForNothing, kForBlock, kForWarp, kEnded };

struct Copy {
  std::byte* to;
  const std::byte* from;
  size_t bytes;
  size_t size;
};

struct Thread {
  ucontext_t context{};
  std::vector<std::byte> stack = std::vector<std::byte>(kStackBytes);
  Waits waits = Waits::kForNothing;
  bool vote = false;
  int turn = 0;  ///< which of the warp's two sets of values comes next
  dim3 index;
  std::deque<std::vector<Copy>> groups;  ///< oldest first; the last one is open
};

struct Warp {
  WarpValues values[2];
};

struct Block {
  ucontext_t scheduler{};
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  std::vector<std::byte> shared;
  const std::function<void()>* body = nullptr;
  size_t current = 0;
  size_t count = 0;
  int votes = 0;
};

Block& block() {
  static Block only;
  return only;
}

Thread& self() {
  return *block().threads[block().current];
}

void wait(Waits reason) {
  Thread& thread = self();
  thread.waits = reason;
  swapcontext(&thread.context, &block().scheduler);
  threadIdx = thread.index;
}

void run_thread() {
  (*block().body)();
  self().waits = Waits::kEnded;
  swapcontext(&self().context, &block().scheduler);
}

/// Threads [begin, end) go on when all that have not ended wait for `reason`.
bool release(size_t begin, size_t end, Waits reason) {
  Block& b = block();
  bool any = false;
  int votes = 0;
  for (size_t i = begin; i < end; ++i) {
    if (b.threads[i]->waits == Waits::kEnded) continue;
    if (b.threads[i]->waits != reason) return false;
    any = true;
    votes += b.threads[i]->vote ? 1 : 0;
  }
  for (size_t i = begin; any && i < end; ++i) {
    if (b.threads[i]->waits == reason) b.threads[i]->waits = Waits::kForNothing;
  }
  if (any && reason == Waits::kForBlock) b.votes = votes;
  return any;
}

bool resume_all() {
  Block& b = block();
  bool ran = false;
  for (b.current = 0; b.current < b.count; ++b.current) {
    Thread& thread = *b.threads[b.current];
    if (thread.waits != Waits::kForNothing) continue;
    threadIdx = thread.index;
    swapcontext(&b.scheduler, &thread.context);
    ran = true;
  }
  return ran;
}

void start_threads(const dim3& threads) {
  Block& b = block();
  b.count = size_t{threads.x} * threads.y * threads.z;
  while (b.threads.size() < b.count) b.threads.push_back(std::make_unique<Thread>());
  b.warps.resize((b.count + kWarp - 1) / kWarp);
  for (size_t i = 0; i < b.count; ++i) {
    Thread& thread = *b.threads[i];
    const auto n = static_cast<unsigned>(i);
    thread.index = dim3(n % threads.x, n / threads.x % threads.y, n / (threads.x * threads.y));
    thread.waits = Waits::kForNothing;
    thread.turn = 0;
    thread.groups.assign(1, {});
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, run_thread, 0);
  }
}

void run_block(const dim3& threads) {
  start_threads(threads);
  Block& b = block();
  while (true) {
    bool released = resume_all();
    for (size_t first = 0; first < b.count; first += kWarp) {
      released |= release(first, std::min(first + kWarp, b.count), Waits::kForWarp);
    }
    released |= release(0, b.count, Waits::kForBlock);
    if (released) continue;
    for (size_t i = 0; i < b.count; ++i) {
      BERTHA_CHECK(b.threads[i]->waits == Waits::kEnded, "thread {} waits for ever", i);
      for (const auto& group : b.threads[i]->groups) {
        BERTHA_CHECK(group.empty(), "thread {} ends before its copies", i);
      }
    }
    return;
  }
}

}  // namespace

void run(const dim3& blocks, const dim3& threads, int64_t shared_bytes,
         const std::function<void()>& body) {
  // Ranks that are threads take turns.
  static std::mutex one_kernel;
  const std::lock_guard lock(one_kernel);
  BERTHA_CHECK(threads.x * threads.y * threads.z <= 1024 && shared_bytes <= 227 << 10);
  block().body = &body;
  gridDim = blocks;
  blockDim = threads;
  for (unsigned z = 0; z < blocks.z; ++z) {
    for (unsigned y = 0; y < blocks.y; ++y) {
      for (unsigned x = 0; x < blocks.x; ++x) {
        // A value that no thread writes shows as NaN.
        block().shared.assign(static_cast<size_t>(shared_bytes) + 128, std::byte{0xff});
        blockIdx = dim3(x, y, z);
        run_block(threads);
      }
    }
  }
}

std::byte* shared_memory() {
  const auto base = reinterpret_cast<uintptr_t>(block().shared.data());
  return reinterpret_cast<std::byte*>((base + 127) / 128 * 128);
}

int block_barrier(bool value) {
  self().vote = value;
  wait(Waits::kForBlock);
  return block().votes;
}

int lane() {
  return static_cast<int>(block().current % kWarp);
}

const WarpValues& exchange(const void* value, size_t size) {
  // Two sets in turn: a lane that is ahead writes the other one.
  Thread& thread = self();
  WarpValues& values = block().warps[block().current / kWarp].values[thread.turn];
  thread.turn ^= 1;
  __builtin_memcpy(values[lane()], value, size);
  wait(Waits::kForWarp);
  return values;
}

void copy_later(void* to, const void* from, size_t bytes, size_t size) {
  BERTHA_CHECK(reinterpret_cast<uintptr_t>(to) % size == 0, "copy to a misaligned address");
  BERTHA_CHECK(reinterpret_cast<uintptr_t>(from) % size == 0, "copy from a misaligned address");
  self().groups.back().push_back(
      {static_cast<std::byte*>(to), static_cast<const std::byte*>(from), bytes, size});
}

void end_group() {
  self().groups.emplace_back();
}

void wait_groups(size_t pending) {
  auto& groups = self().groups;
  for (; groups.size() > pending + 1; groups.pop_front()) {
    for (const Copy& copy : groups.front()) {
      std::memcpy(copy.to, copy.from, copy.bytes);
      std::memset(copy.to + copy.bytes, 0, copy.size - copy.bytes);
    }
  }
}

}  // namespace bertha::cuda::emulation

namespace bertha::cuda {
namespace {

struct Fragment {
  uint32_t words[6];  ///< four of a, two of b
};

float half_of(uint32_t word, int half) {
  return bits_to_float(half == 0 ? word << 16 : word & 0xffff0000U);
}

/// a [16,16] from the fragments, as the PTX manual lays it out.
float a_of(const emulation::WarpValues& values, int row, int column) {
  const auto fragment = emulation::value_of<Fragment>(values, row % 8 * 4 + column % 8 / 2);
  return half_of(fragment.words[row / 8 + 2 * (column / 8)], column % 2);
}
float b_of(const emulation::WarpValues& values, int row, int column) {
  const auto fragment = emulation::value_of<Fragment>(values, column * 4 + row % 8 / 2);
  return half_of(fragment.words[4 + row / 8], row % 2);
}

struct RowAddress {
  const uint16_t* row;
};

void load_four(uint32_t (&to)[4], const void* row, bool transposed) {
  const RowAddress own = {static_cast<const uint16_t*>(row)};
  BERTHA_CHECK(reinterpret_cast<uintptr_t>(row) % 16 == 0, "ldmatrix row is not aligned");
  const auto& values = emulation::exchange(&own, sizeof(own));
  const int g = emulation::lane() / 4;
  const int t = emulation::lane() % 4;
  for (int matrix = 0; matrix < 4; ++matrix) {
    const auto element = [&](int r, int c) -> uint32_t {
      return emulation::value_of<RowAddress>(values, matrix * 8 + r).row[c];
    };
    const uint32_t low = transposed ? element(2 * t, g) : element(g, 2 * t);
    const uint32_t high = transposed ? element(2 * t + 1, g) : element(g, 2 * t + 1);
    to[matrix] = low | high << 16;
  }
}

}  // namespace

float bits_to_float(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
uint16_t float_to_bf16_bits(float value) {
  return BFloat16::round(value);
}

void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const Fragment own = {{a[0], a[1], a[2], a[3], b0, b1}};
  const auto& values = emulation::exchange(&own, sizeof(own));
  const int g = emulation::lane() / 4;
  const int t = emulation::lane() % 4;
  for (int i = 0; i < 4; ++i) {
    const int row = g + i / 2 * 8;
    const int column = 2 * t + i % 2;
    for (int k = 0; k < 16; ++k) c[i] += a_of(values, row, k) * b_of(values, k, column);
  }
}

void load_matrices(uint32_t (&to)[4], const void* row) {
  load_four(to, row, false);
}
void load_matrices_transposed(uint32_t (&to)[4], const void* row) {
  load_four(to, row, true);
}

}  // namespace bertha::cuda
