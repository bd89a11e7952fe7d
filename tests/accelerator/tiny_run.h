#pragma once

// Pre-training of a tiny model on any device, from the same weights and batches each time.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/philox.h"
#include "train/pretraining_trainer.h"

namespace bertha::test {

inline constexpr int32_t kTinyWords = 40;

struct TinySizes {
  int64_t hidden = 16;
  int64_t heads = 2;
  int64_t layers = 1;
  int64_t micro_batches = 1;  ///< of a step
};

inline bert::Config tiny_config(const TinySizes& sizes = {}) {
  return {.vocab_size = kTinyWords,
          .hidden_size = sizes.hidden,
          .num_hidden_layers = sizes.layers,
          .num_attention_heads = sizes.heads,
          .intermediate_size = 48,
          .max_position_embeddings = 24};
}

/// Sequences of these lengths. A masked token is the one before it plus 1, which a model can learn.
inline PretrainingBatch tiny_batch(uint64_t number, std::span<const int32_t> lengths) {
  PhiloxStream random(5, number);
  PretrainingBatch batch;
  batch.clear();
  for (const int32_t length : lengths) {
    const auto begin = static_cast<int32_t>(batch.tokens());
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(static_cast<int32_t>(random.below(kTinyWords - 1)));
      batch.segments.push_back(i < length / 2 ? 0 : 1);
      batch.positions.push_back(i);
      if (i % 4 != 2) continue;
      batch.masked_rows.push_back(begin + i);
      batch.masked_labels.push_back(batch.ids[static_cast<size_t>(begin + i - 1)] + 1);
    }
    batch.seq_start.push_back(begin + length);
    batch.next_sentence.push_back(static_cast<int32_t>(random.below(2)));
  }
  return batch;
}

/// `most` sequences or fewer, of lengths from `shortest` to `longest`.
inline PretrainingBatch ragged_batch(uint64_t number, int32_t most, int32_t shortest,
                                     int32_t longest) {
  PhiloxStream random(6, number);
  std::vector<int32_t> lengths(1 + random.below(static_cast<uint64_t>(most)));
  for (int32_t& length : lengths) {
    length = shortest +
             static_cast<int32_t>(random.below(static_cast<uint64_t>(longest - shortest + 1)));
  }
  return tiny_batch(number, lengths);
}

/// A trainer with its weights.
class TinyRun {
 public:
  explicit TinyRun(Device& device, const TinySizes& sizes = {}, bool recompute = false,
                   const bert::BatchLimits& limits = {.tokens = 64, .sequences = 3, .masked = 32})
      : micro_batches_(sizes.micro_batches),
        config_(tiny_config(sizes)),
        store_(device, config_, bert::Heads::for_pretraining(), DType::kF32, true) {
    store_.initialise(bert::InitStyle::kRecipe, config_, 3);
    train::TrainerSettings settings;
    settings.accumulation = micro_batches_;
    settings.seed = 11;
    settings.recompute = recompute;
    settings.limits = limits;
    trainer_ = std::make_unique<train::PretrainingTrainer>(device, config_, store_, settings);
  }

  /// Of each of the steps [first, end) the losses of its micro-batches and the gradient's norm.
  /// batch(number) makes a micro-batch.
  template <typename Batch>
  std::vector<double> train(int64_t first, int64_t end, const Batch& batch) {
    std::vector<double> record;
    for (int64_t step = first; step < end; ++step) {
      for (int64_t i = 0; i < micro_batches_; ++i) {
        const auto number = static_cast<uint32_t>(step * micro_batches_ + i);
        trainer_->micro_batch(batch(uint64_t{number}), number);
      }
      for (const train::LossSums& sums : trainer_->losses()) record.push_back(sums.total());
      record.push_back(trainer_->update(2e-3, step + 1).gradient_norm);
    }
    return record;
  }

  /// Weights and moments of all parameters.
  std::vector<std::vector<float>> state() const {
    std::vector<std::vector<float>> state;
    for (size_t i = 0; i < store_.table().parameters().size(); ++i) {
      const auto size = static_cast<size_t>(store_.table().parameters()[i].size());
      for (int which = 0; which < 3; ++which) state.emplace_back(size);
      const auto at = state.end() - 3;
      store_.read(static_cast<int>(i), at[0].data());
      trainer_->optimizer().read_moments(static_cast<int>(i), at[1].data(), at[2].data());
    }
    return state;
  }
  void set_state(const std::vector<std::vector<float>>& state) {
    for (size_t i = 0; i < store_.table().parameters().size(); ++i) {
      store_.write(static_cast<int>(i), state[3 * i].data());
      trainer_->optimizer().write_moments(static_cast<int>(i), state[3 * i + 1].data(),
                                          state[3 * i + 2].data());
    }
    store_.weights_changed();
  }

 private:
  int64_t micro_batches_;
  bert::Config config_;
  bert::ParameterStore store_;
  std::unique_ptr<train::PretrainingTrainer> trainer_;
};

}  // namespace bertha::test
