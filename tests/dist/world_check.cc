// Run by every rank under mpirun: checks each call of the communicator against what one rank can
// work out alone. Exits with 1 and a line on the first difference.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "comm/communicator.h"
#include "comm/pairwise.h"
#include "core/error.h"
#include "core/philox.h"

namespace bertha::comm {
namespace {

constexpr int64_t kSize = 10007;  // no multiple of ranks or of buckets

void expect(bool right, const char* what) {
  if (!right) fail("{}", what);
}

std::vector<float> gradients_of(int64_t rank) {
  PhiloxStream stream(11, static_cast<uint64_t>(rank));
  std::vector<float> values;
  for (int64_t i = 0; i < kSize; ++i) {
    values.push_back(static_cast<float>(stream.below(1 << 24)) * 1e-3F - 8000.0F);
  }
  return values;
}

void check_small(Communicator& world) {
  const auto rank = static_cast<double>(world.rank());
  const auto ranks = static_cast<double>(world.ranks());
  std::array<double, 2> values = {rank + 1, 0.1};
  world.all_reduce(values, Stage::kMetrics);
  expect(values[0] == ranks * (ranks + 1) / 2, "sum of doubles");
  expect(std::abs(values[1] - 0.1 * ranks) < 1e-12, "sum of tenths");
  const auto all = world.all_gather(static_cast<uint64_t>(world.rank() * 3), Stage::kWeights);
  for (size_t i = 0; i < all.size(); ++i) expect(all[i] == 3 * i, "gather");
  const std::string text = world.leads() ? "from rank 0" : "something else, and longer";
  expect(world.broadcast_text(text, Stage::kStart) == "from rank 0", "text of rank 0");
  world.barrier(Stage::kBarrier);
  world.wait_for_all(Stage::kBarrier);
  expect(world.local_rank() >= 0 && world.local_rank() < world.ranks(), "local rank");
}

void check_votes(Communicator& world) {
  world.vote(false);
  expect(!world.stop_agreed(), "nobody wanted to stop");
  world.vote(world.rank() == world.ranks() - 1);
  expect(world.stop_agreed(), "the last rank wanted to stop");
  world.vote(false);
  expect(!world.stop_agreed(), "an old vote counts again");
}

std::vector<float> summed(Communicator& world, cpu::CpuDevice& device,
                          const ReduceOptions& options) {
  const Buffer buffer = device.allocate(kSize * 4);
  const Tensor tensor(&buffer, 0, DType::kF32, {kSize});
  device.write(out(tensor), gradients_of(world.rank()).data());
  world.all_reduce(inout(tensor), options);
  std::vector<float> values(kSize);
  device.read(tensor, values.data());
  return values;
}

void check_gradients(Communicator& world) {
  cpu::CpuDevice device;
  std::vector<float> pieces;
  std::vector<double> exact(kSize);
  for (int64_t rank = 0; rank < world.ranks(); ++rank) {
    const std::vector<float> values = gradients_of(rank);
    pieces.insert(pieces.end(), values.begin(), values.end());
    for (size_t i = 0; i < values.size(); ++i) exact[i] += double{values[i]};
  }
  sum_by_tree(pieces.data(), world.ranks(), kSize);
  const std::vector<float> in_order =
      summed(world, device, {.fixed_order = true, .bucket_elements = 1000});
  expect(std::memcmp(in_order.data(), pieces.data(), kSize * 4) == 0, "sum in a fixed order");
  const std::vector<float> by_library = summed(world, device, {.bucket_elements = 999});
  const std::vector<float> rounded =
      summed(world, device, {.wire_dtype = DType::kBF16, .bucket_elements = 1000});
  for (size_t i = 0; i < exact.size(); ++i) {
    // Values are below 8,778. An addition of f32 rounds by 2^-24 of that times the ranks at most;
    // bf16 rounds each value and the sum by 2^-8.
    const double most = 8778.0 * static_cast<double>(world.ranks());
    expect(std::abs(double{by_library[i]} - exact[i]) <= most * std::ldexp(1, -22), "sum");
    expect(std::abs(double{rounded[i]} - exact[i]) <= most * std::ldexp(1, -7), "sum in bf16");
  }
  uint64_t bits = 0;
  std::memcpy(&bits, rounded.data(), sizeof bits);
  for (const uint64_t other : world.all_gather(bits, Stage::kWeights)) {
    expect(other == bits, "ranks differ after a sum in bf16");
  }
}

void check_shares(Communicator& world) {
  cpu::CpuDevice device;
  const auto ranks = static_cast<size_t>(world.ranks());
  // Uneven shares, the last one empty.
  std::vector<int64_t> bounds(ranks + 1, kSize);
  for (size_t r = 0; r + 1 < ranks; ++r) bounds[r] = static_cast<int64_t>(r * (900 + r));
  bounds[0] = 0;
  std::vector<float> pieces;
  for (int64_t rank = 0; rank < world.ranks(); ++rank) {
    const std::vector<float> values = gradients_of(rank);
    pieces.insert(pieces.end(), values.begin(), values.end());
  }
  sum_by_tree(pieces.data(), world.ranks(), kSize);
  const Buffer buffer = device.allocate(kSize * 4);
  const Tensor tensor(&buffer, 0, DType::kF32, {kSize});
  device.write(out(tensor), gradients_of(world.rank()).data());
  world.reduce_scatter(inout(tensor), bounds, {.bucket_elements = 700});
  const auto own = static_cast<size_t>(world.rank());
  const float* const values = cpu::data<float>(tensor);
  const auto count = static_cast<size_t>(bounds[own + 1] - bounds[own]);
  std::vector<float> all(world.leads() ? kSize : 0);
  world.gather({values + bounds[own], count}, all, bounds, Stage::kSave);
  expect(all.empty() || std::memcmp(all.data(), pieces.data(), all.size() * 4) == 0,
         "shares on rank 0");
  world.all_gather(inout(tensor), bounds, Stage::kWeights);
  expect(std::memcmp(values, pieces.data(), kSize * 4) == 0, "shares on all ranks");
  std::vector<double> doubles(kSize, -1);
  std::copy_n(pieces.begin() + bounds[own], count, doubles.begin() + bounds[own]);
  world.all_gather(doubles, bounds, Stage::kMetrics);
  expect(std::equal(doubles.begin(), doubles.end(), pieces.begin()), "shares of doubles");
}

/// Sums under way while this rank does other things with the others.
void check_overlap(Communicator& world) {
  cpu::CpuDevice device;
  const Buffer buffer = device.allocate(kSize * 4);
  const Tensor tensor(&buffer, 0, DType::kF32, {kSize});
  for (const ReduceOptions& options :
       {ReduceOptions{.fixed_order = true}, ReduceOptions{.wire_dtype = DType::kBF16}}) {
    const std::vector<float> at_once = summed(world, device, options);
    device.write(out(tensor), gradients_of(world.rank()).data());
    for (int64_t end = kSize; end > 0; end -= 1001) {
      const int64_t begin = std::max<int64_t>(0, end - 1001);
      world.all_reduce_async(inout(tensor.rows(begin, end - begin)), options);
      world.vote(false);
      expect(!world.stop_agreed(), "a vote among sums");
      world.progress_all_reduces();
    }
    world.wait_all_reduces();
    expect(std::memcmp(cpu::data<float>(tensor), at_once.data(), kSize * 4) == 0,
           "sums under way differ from the sum at once");
  }
}

void check_weights(Communicator& world) {
  cpu::CpuDevice device;
  const Buffer buffer = device.allocate(kSize * 4);
  const Tensor tensor(&buffer, 0, DType::kF32, {kSize});
  device.write(out(tensor), gradients_of(world.rank()).data());
  world.broadcast_tensor(device, inout(tensor), Stage::kWeights);
  std::vector<float> values(kSize);
  device.read(tensor, values.data());
  expect(values == gradients_of(0), "weights of rank 0");
}

}  // namespace
}  // namespace bertha::comm

int main(int argc, char** argv) {
  using namespace bertha::comm;
  const auto world = join_world({});
  try {
    const int64_t wanted = argc > 1 ? std::stoll(argv[1]) : 1;
    expect(world->ranks() == wanted, "number of ranks");
    check_small(*world);
    check_votes(*world);
    check_gradients(*world);
    check_shares(*world);
    check_overlap(*world);
    check_weights(*world);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: not right: %s\n", static_cast<int>(world->rank()), error.what());
    world->abort(1);
  }
  return 0;
}
