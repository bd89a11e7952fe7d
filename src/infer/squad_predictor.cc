#include "infer/squad_predictor.h"

#include <algorithm>
#include <numeric>

#include "core/threads.h"

namespace bertha::infer {
namespace {

/// Start and end logits of one sequence of the batch, from [T,2].
tasks::WindowAnswers read_sequence(const tasks::SquadAnswerer& answerer, int64_t window,
                                   const RaggedBatch& batch, size_t sequence,
                                   std::span<const float> logits) {
  const auto begin = static_cast<size_t>(batch.seq_start[sequence]);
  const auto end = static_cast<size_t>(batch.seq_start[sequence + 1]);
  std::vector<float> starts;
  std::vector<float> ends;
  for (size_t token = begin; token < end; ++token) {
    starts.push_back(logits[2 * token]);
    ends.push_back(logits[2 * token + 1]);
  }
  return answerer.read_window(window, starts, ends);
}

}  // namespace

std::vector<std::vector<int64_t>> batches_by_length(const tasks::SquadFeatures& features,
                                                    int64_t batch_size) {
  std::vector<int64_t> order(features.windows().size());
  std::iota(order.begin(), order.end(), 0);
  const auto length = [&](int64_t i) {
    return features.length_of(features.windows()[static_cast<size_t>(i)]);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return length(a) > length(b); });
  std::vector<std::vector<int64_t>> batches;
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = begin + std::min<int64_t>(batch_size, order.end() - begin);
    batches.emplace_back(begin, end);
    begin = end;
  }
  return batches;
}

std::vector<tasks::WindowAnswers> predict_windows(train::TaskPredictor& predictor,
                                                  const tasks::SquadFeatures& features,
                                                  const tasks::SquadAnswerer& answerer,
                                                  int64_t batch_size,
                                                  const std::function<void(int64_t)>& after_batch,
                                                  comm::Communicator& world) {
  std::vector<tasks::WindowAnswers> answers(features.windows().size());
  const auto batches = batches_by_length(features, batch_size);
  int64_t done = 0;
  const auto fill = [&](int64_t number, RaggedBatch& batch) {
    for (const int64_t window : batches[static_cast<size_t>(number)]) {
      features.append(features.windows()[static_cast<size_t>(window)], batch);
    }
  };
  const auto use = [&](int64_t number, const RaggedBatch& batch, std::span<const float> logits) {
    const std::vector<int64_t>& members = batches[static_cast<size_t>(number)];
    parallel_for(std::ssize(members), 1, [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      answers[static_cast<size_t>(members[at])] =
          read_sequence(answerer, members[at], batch, at, logits);
    });
    done += std::ssize(members);
    if (after_batch) after_batch(done);
  };
  train::predict_batches(predictor, {.batches = std::ssize(batches), .fill = fill, .use = use},
                         world);
  return answers;
}

}  // namespace bertha::infer
