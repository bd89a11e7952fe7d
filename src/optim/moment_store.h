#pragma once

namespace bertha::optim {

/// The optimizer's state as a checkpoint reads and writes it: for each parameter of the table its
/// first and second moment (exp_avg and exp_avg_sq in the file), f32 in the parameter's shape.
class MomentStore {
 public:
  MomentStore() = default;
  MomentStore(const MomentStore&) = delete;
  MomentStore& operator=(const MomentStore&) = delete;
  virtual ~MomentStore() = default;

  /// Copies the moments of the parameter `index` to host memory. A null pointer skips that moment.
  /// With ZeRO-1 only rank 0 can read, and only after gather_moments().
  virtual void read_moments(int index, float* exp_avg, float* exp_avg_sq) const = 0;
  /// Sets the moments of the parameter `index` on this rank. With several ranks, rank 0 writes and
  /// broadcast_moments() must follow.
  virtual void write_moments(int index, const float* exp_avg, const float* exp_avg_sq) = 0;
  /// Sends rank 0's moments, as write_moments() left them, to the ranks that keep them. All ranks
  /// call it.
  virtual void broadcast_moments() = 0;
  /// With ZeRO-1: collects the partitions of all ranks in host memory of rank 0, where they stay
  /// until drop_gathered_moments(). All ranks call it. Without ZeRO-1 it does nothing.
  virtual void gather_moments() = 0;
  virtual void drop_gathered_moments() = 0;
};

}  // namespace bertha::optim
