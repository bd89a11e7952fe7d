// Steady steps allocate nothing: every operator new of the process is counted over some steps, by
// the library its caller lies in. oneDNN makes a small table of arguments at each call of a
// primitive, which its interface cannot avoid; those are left out, and so is what its GEMM takes
// with malloc. A shape met for the first time makes a primitive: steps are steady once every bucket
// has been seen. Sanitizers bring an operator new of their own.

#include <gtest/gtest.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/philox.h"
#include "core/thread_pool.h"
#include "train/tiny_run.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> counted_here{0};
std::atomic<int> counted_in_dnnl{0};

void* counted(std::size_t size, std::size_t alignment, const void* caller) {
  if (counting) {
    Dl_info info{};
    const bool found = dladdr(caller, &info) != 0 && info.dli_fname != nullptr;
    const bool dnnl = found && std::strstr(info.dli_fname, "libdnnl") != nullptr;
    ++(dnnl ? counted_in_dnnl : counted_here);
  }
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size, 16, __builtin_return_address(0));
}
void* operator new[](std::size_t size) {
  return counted(size, 16, __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace bertha::train {
namespace {

/// Buffers too are made before the first step alone.
class CountingDevice : public cpu::CpuDevice {
 public:
  int buffers = 0;
  Buffer allocate(int64_t size_bytes) override {
    ++buffers;
    return CpuDevice::allocate(size_bytes);
  }
};

/// Five sequences, 65 to 96 tokens in all: lengths vary, the bucket does not.
PretrainingBatch varied_batch(uint64_t number) {
  PhiloxStream random(5, number);
  PretrainingBatch batch;
  batch.clear();
  for (int sequence = 0; sequence < 5; ++sequence) {
    const auto begin = static_cast<int32_t>(batch.ids.size());
    const auto length = static_cast<int32_t>(13 + random.below(7));
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(static_cast<int32_t>(random.below(40)));
      batch.segments.push_back(i % 2);
      batch.positions.push_back(i);
    }
    const auto masked = static_cast<int32_t>(1 + random.below(5));
    for (int32_t i = 0; i < masked; ++i) {
      batch.masked_rows.push_back(begin + 2 * i);
      batch.masked_labels.push_back(7);
    }
    batch.next_sentence.push_back(1);
    batch.seq_start.push_back(begin + length);
  }
  return batch;
}

struct Case {
  const char* name;
  DType compute;
  optim::OptimizerKind optimizer;
  bool recompute;
};

class SteadyStep : public testing::TestWithParam<Case> {};

TEST_P(SteadyStep, AllocatesNothing) {
  CountingDevice device;
  if (GetParam().compute == DType::kBF16 && !device.has_bf16()) GTEST_SKIP() << "no bf16 here";
  if (GetParam().compute == DType::kBF16 && cpu::best_isa() == cpu::Isa::kAmx) {
    GTEST_SKIP() << "oneDNN's interface allocates for the operands of each call";
  }
  // A helper allocates its scratch at its first block, whose step depends on timing.
  ThreadPool pool(1);
  const PoolBinding binding(pool);
  bert::ParameterStore store(device, tiny_config(), bert::Heads::for_pretraining(),
                             GetParam().compute, true);
  store.initialise(bert::InitStyle::kRecipe, tiny_config(), 1);
  TrainerSettings settings;
  settings.compute = GetParam().compute;
  settings.optimizer.kind = GetParam().optimizer;
  settings.recompute = GetParam().recompute;
  settings.accumulation = 2;
  settings.limits = {.tokens = 96, .sequences = 5, .masked = 32};
  PretrainingTrainer trainer(device, tiny_config(), store, settings);
  std::vector<PretrainingBatch> batches;
  for (uint64_t i = 0; i < 12; ++i) batches.push_back(varied_batch(i));

  counted_here = counted_in_dnnl = 0;
  int buffers = 0;
  double losses = 0;
  for (int64_t step = 1; step <= 6; ++step) {
    if (step == 3) {
      buffers = device.buffers;
      counting = true;
    }
    for (const int64_t i : {2 * step - 2, 2 * step - 1}) {
      trainer.micro_batch(batches[static_cast<size_t>(i)], static_cast<uint32_t>(i));
    }
    for (const LossSums& sums : trainer.losses()) losses += sums.total();
    trainer.update(1e-3, step);
  }
  counting = false;
  EXPECT_GT(losses, 0);
  EXPECT_EQ(counted_here, 0) << "and " << counted_in_dnnl << " inside oneDNN";
  EXPECT_EQ(device.buffers, buffers);
}

INSTANTIATE_TEST_SUITE_P(
    All, SteadyStep,
    testing::Values(Case{"Fp32Lamb", DType::kF32, optim::OptimizerKind::kLamb, false},
                    Case{"Fp32AdamWRecomputed", DType::kF32, optim::OptimizerKind::kAdamW, true},
                    Case{"Bf16Lamb", DType::kBF16, optim::OptimizerKind::kLamb, false}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(SteadyStepCounter, CountsAllocations) {
  counted_here = 0;
  counting = true;
  std::vector<int> some(3);
  counting = false;
  EXPECT_EQ(counted_here, 1) << some.size();
}

}  // namespace
}  // namespace bertha::train

#endif
