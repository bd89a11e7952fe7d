// Any bytes as an HDF5 shard: an Error, or rows whose every field is within its bounds. libhdf5
// reads by name, so that the bytes go through a file in memory.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "dataset/hdf5_shard.h"

namespace {

using namespace bertha;

void check(const dataset::RaggedShard& shard, const dataset::ShardLimits& limits) {
  for (const int32_t id : shard.ids) {
    if (id < 0 || id >= limits.vocab_size) std::abort();
  }
  if (shard.sequence_start.back() != static_cast<int64_t>(shard.ids.size())) std::abort();
  for (int64_t row = 0; row < shard.rows(); ++row) {
    PretrainingBatch batch;
    batch.clear();
    shard.append_row(row, batch);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int descriptor = ::memfd_create("shard", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const dataset::ShardLimits limits{
      .vocab_size = 1000, .max_position = 512, .max_predictions = 20, .strict = true};
  try {
    dataset::read_shard_shape(path);
    dataset::read_sequence_lengths(path);
  } catch (const Error&) {
  }
  try {
    check(dataset::read_shard(path, limits), limits);
  } catch (const Error&) {
  }
  return 0;
}
