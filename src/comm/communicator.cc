#include "comm/communicator.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "core/device.h"
#include "core/error.h"

namespace bertha::comm {

Communicator& alone() {
  static Communicator world;
  return world;
}

const char* name_of(Stage stage) {
  switch (stage) {
    case Stage::kStart:
      return "the start";
    case Stage::kCompute:
      return "its own computation";
    case Stage::kVote:
      return "the vote on stopping";
    case Stage::kMetrics:
      return "the sum of losses";
    case Stage::kGradients:
      return "the sum of gradients";
    case Stage::kWeights:
      return "the exchange of weights";
    case Stage::kSave:
      return "saving a checkpoint";
    case Stage::kBarrier:
      return "a barrier";
    case Stage::kEnd:
      return "the end";
  }
  return "?";
}

std::string Communicator::host(int64_t /*rank*/) const {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

std::vector<uint64_t> Communicator::all_gather(uint64_t value, Stage /*stage*/) {
  return {value};
}

void Communicator::all_reduce(InOut gradients, const ReduceOptions& options) {
  const int64_t size = gradients.tensor().size();
  const int64_t bucket = bucket_elements(options);
  for (int64_t begin = 0; begin < size; begin += bucket) {
    const int64_t count = std::min(bucket, size - begin);
    all_reduce_async(inout(gradients.tensor().rows(begin, count)), options);
  }
  wait_all_reduces();
}

void Communicator::gather(std::span<const float> mine, std::span<float> all,
                          std::span<const int64_t> /*bounds*/, Stage /*stage*/) {
  std::ranges::copy(mine, all.begin());
}

void Communicator::abort(int status) {
  std::_Exit(status);
}

std::string Communicator::broadcast_text(const std::string& text, Stage stage) {
  uint64_t size = text.size();
  broadcast(std::as_writable_bytes(std::span(&size, 1)), stage);
  std::string result = text;
  result.resize(size);
  broadcast(std::as_writable_bytes(std::span(result)), stage);
  return result;
}

void Communicator::broadcast_tensor(Device& device, InOut tensor, Stage stage) {
  if (ranks() == 1) return;
  constexpr int64_t kChunk = int64_t{4} << 20;
  const int64_t size = tensor.tensor().size();
  BERTHA_CHECK(tensor.tensor().dtype() == DType::kF32);
  std::vector<float> staging(static_cast<size_t>(std::min(size, kChunk)));
  for (int64_t begin = 0; begin < size; begin += kChunk) {
    const Tensor part = tensor.tensor().rows(begin, std::min(kChunk, size - begin));
    const auto host = std::span(staging).first(static_cast<size_t>(part.size()));
    if (leads()) device.read(part, host.data());
    broadcast(std::as_writable_bytes(host), stage);
    if (!leads()) device.write(out(part), host.data());
  }
}

}  // namespace bertha::comm
