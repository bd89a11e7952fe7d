#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tasks/squad/squad_answers.h"
#include "tasks/squad/squad_features.h"
#include "train/fine_tuning.h"

namespace bertha::infer {

/// Batches of windows of nearly equal length, longest first: indices of windows.
std::vector<std::vector<int64_t>> batches_by_length(const tasks::SquadFeatures& features,
                                                    int64_t batch_size);

/// Runs the model over all windows, on all ranks, and reads each off on rank 0 while its logits are
/// at hand; there alone the answers are filled in, and `after_batch` (may be empty) gets the number
/// of windows done.
std::vector<tasks::WindowAnswers> predict_windows(train::TaskPredictor& predictor,
                                                  const tasks::SquadFeatures& features,
                                                  const tasks::SquadAnswerer& answerer,
                                                  int64_t batch_size,
                                                  const std::function<void(int64_t)>& after_batch,
                                                  comm::Communicator& world = comm::alone());

}  // namespace bertha::infer
