#pragma once

// The unit of work that commands and the server share. A request is cut into windows; a window is a
// sequence of tokens that runs through the model on its own, in a batch with any others.

#include <cstdint>
#include <span>
#include <vector>

#include "core/ragged_batch.h"

namespace bertha::infer {

/// What a window takes of a batch.
struct WindowSize {
  int64_t tokens = 0;
  int64_t rows = 0;  ///< tokens that the forward pass picks, for a pass that picks some
};

/// The windows of a request, and what becomes of their results. Its construction tokenizes.
class WindowJob {
 public:
  WindowJob() = default;
  WindowJob(const WindowJob&) = delete;
  WindowJob& operator=(const WindowJob&) = delete;
  virtual ~WindowJob() = default;

  virtual int64_t windows() const = 0;
  virtual WindowSize size(int64_t window) const = 0;
  /// Appends the window as a sequence, and the batch's tokens that the pass picks to `rows`.
  virtual void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const = 0;
  /// Takes the forward pass's result for the window: f32, a row of values for each token, for each
  /// picked row or for the sequence, as the purpose of the model has it. Several threads may call
  /// it for different windows; a second call for a window replaces the first.
  virtual void take(int64_t window, std::span<const float> result) = 0;
};

/// A window of a job.
struct WindowRef {
  WindowJob* job = nullptr;
  int64_t window = 0;
  WindowSize size() const { return job->size(window); }
};

/// Appends sequence `index` of `from` to `to`.
inline void append_sequence(const RaggedBatch& from, int64_t index, RaggedBatch& to) {
  const auto at = static_cast<size_t>(index);
  const int32_t begin = from.seq_start[at];
  const int32_t end = from.seq_start[at + 1];
  to.ids.insert(to.ids.end(), from.ids.begin() + begin, from.ids.begin() + end);
  to.segments.insert(to.segments.end(), from.segments.begin() + begin, from.segments.begin() + end);
  to.positions.insert(to.positions.end(), from.positions.begin() + begin,
                      from.positions.begin() + end);
  to.seq_start.push_back(static_cast<int32_t>(to.ids.size()));
}

/// Number of tokens of a sequence.
inline int64_t sequence_length(const RaggedBatch& batch, int64_t index) {
  const auto at = static_cast<size_t>(index);
  return batch.seq_start[at + 1] - batch.seq_start[at];
}

}  // namespace bertha::infer
