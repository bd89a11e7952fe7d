#pragma once

// Shared code of the benchmarks of whole steps: BERT-Base or another config, random sequences,
// their lengths for the compared program, and the number of operations of the encoder.

#include <fmt/format.h>

#include <cmath>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "bert/config.h"
#include "cli/help_text.h"
#include "cli/options.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/ragged_batch.h"

namespace bertha::bench {

inline bert::Config config_or_base(const std::optional<std::string>& path) {
  if (path) return bert::load_config(*path).padded();
  return {.vocab_size = 30528,
          .hidden_size = 768,
          .num_hidden_layers = 12,
          .num_attention_heads = 12,
          .intermediate_size = 3072};
}

/// Appends a sequence of `length` random tokens whose second segment begins at `second`.
inline void append_sequence(RaggedBatch& batch, int64_t length, int64_t second, int64_t vocabulary,
                            PhiloxStream& random) {
  for (int64_t i = 0; i < length; ++i) {
    batch.ids.push_back(
        static_cast<int32_t>(1 + random.below(static_cast<uint64_t>(vocabulary - 1))));
    batch.segments.push_back(i < second ? 0 : 1);
    batch.positions.push_back(static_cast<int32_t>(i));
  }
  batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
}

/// Writes the lengths of the batches' sequences as a list of lists, for the compared program.
template <typename Batch>
void save_lengths(const std::string& path, const std::vector<Batch>& batches) {
  nlohmann::json lengths;
  for (const Batch& batch : batches) {
    std::vector<int32_t> differences(batch.seq_start.size());
    std::adjacent_difference(batch.seq_start.begin(), batch.seq_start.end(), differences.begin());
    lengths.push_back(std::vector<int32_t>(differences.begin() + 1, differences.end()));
  }
  std::ofstream(path) << lengths;
}

/// Which batch a step takes. Every batch runs `passes` times before the clock starts, so that a
/// device which keeps plans and graphs by shape has made them; then the timed steps take the
/// batches in turn.
struct Schedule {
  int64_t batches = 1;
  int64_t passes = 1;
  int64_t timed = 1;

  int64_t steps() const { return batches * passes + timed; }
  bool is_timed(int64_t step) const { return step >= batches * passes; }
  size_t batch(int64_t step) const { return static_cast<size_t>(step % batches); }
};

/// Lengths of `count` rows of at most `longest` tokens and of this mean: full rows beside rows that
/// are even between five tokens and the longest, or, for a mean below the middle of these, rows
/// that are even between five tokens and twice the mean. One row is drawn from each of `count`
/// equal parts of this distribution, so that every batch is close to the mean.
inline std::vector<int64_t> lengths_of_mean(double mean, int64_t longest, int64_t count,
                                            PhiloxStream& random) {
  constexpr double kShortest = 5;
  const auto most = static_cast<double>(longest);
  const double middle = (kShortest + most) / 2;
  if (mean < kShortest || mean > most) fail("--lengths {}: expected 5 to {}", mean, longest);
  const double full = mean > middle ? (mean - middle) / (most - middle) : 0;
  const double end = mean > middle ? most : 2 * mean - kShortest;
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < count; ++i) {
    const double place = (static_cast<double>(i) + random.uniform()) / static_cast<double>(count);
    const double length =
        place < 1 - full ? kShortest + place / (1 - full) * (end - kShortest) : most;
    lengths.push_back(std::llround(length));
  }
  return lengths;
}

/// Number of operations of the matrix products in the encoder's forward pass; a multiply-add counts
/// as two.
inline double encoder_flops(const RaggedBatch& batch, const bert::Config& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  double flops = static_cast<double>(batch.tokens()) * 2 * hidden *
                 (4 * hidden + 2 * static_cast<double>(config.intermediate_size));
  for (size_t i = 1; i < batch.seq_start.size(); ++i) {
    const double length = batch.seq_start[i] - batch.seq_start[i - 1];
    flops += 4 * length * length * hidden;
  }
  return static_cast<double>(config.num_hidden_layers) * flops;
}

/// Calls run(arguments). On an error prints a line to stderr and returns the exit status 1.
template <typename Run>
int guarded_main(int argc, char** argv, const Run& run) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const cli::HelpRequested& help) {
    fmt::print("{}", cli::help_text(help.page, 80, help.all));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}

}  // namespace bertha::bench
