#pragma once

namespace bertha::optim {

/// The optimizer's state as a checkpoint sees it: two moments f32 of every parameter.
class MomentStore {
 public:
  MomentStore() = default;
  MomentStore(const MomentStore&) = delete;
  MomentStore& operator=(const MomentStore&) = delete;
  virtual ~MomentStore() = default;

  /// First and second moments of one parameter, in host order; null: not wanted.
  virtual void read_moments(int index, float* first, float* second) const = 0;
  virtual void write_moments(int index, const float* first, const float* second) = 0;
  /// Rank 0's moments, as write_moments() left them, to the ranks that keep them.
  virtual void broadcast_moments() = 0;
};

}  // namespace bertha::optim
