// Input: bytes as an HDF5 shard. Expected: an Error, or rows whose fields are all in range. The
// shape and the lengths that are read separately must agree with the rows.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "dataset/hdf5_shard.h"
#include "support/files.h"

namespace {

using namespace bertha;

void check(const dataset::RaggedShard& shard, const std::string& path, int64_t vocab_size) {
  for (const int32_t id : shard.ids) {
    if (id < 0 || id >= vocab_size) std::abort();
  }
  if (shard.sequence_start.back() != std::ssize(shard.ids)) std::abort();
  PretrainingBatch batch;
  for (int64_t row = 0; row < shard.rows(); ++row) {
    batch.clear();
    shard.append_row(row, batch);
  }
  if (dataset::read_shard_shape(path).rows != shard.rows()) std::abort();
  const std::vector<int32_t> lengths = dataset::read_sequence_lengths(path);
  if (lengths.size() != shard.next_sentence.size()) std::abort();
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] != shard.sequence_start[i + 1] - shard.sequence_start[i]) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const test::TemporaryFolder folder;
  static const std::string path = folder.file("shard.hdf5");
  test::write_all(path, {reinterpret_cast<const char*>(data), size});
  constexpr int64_t kVocabSize = 1000;
  try {
    check(
        dataset::read_shard(
            path,
            {.vocab_size = kVocabSize, .max_position = 512, .max_predictions = 20, .strict = true}),
        path, kVocabSize);
  } catch (const Error&) {
  }
  return 0;
}
