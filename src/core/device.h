#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/tensor.h"

namespace bertha {

class Profile;
namespace ops {
class Kernels;
}

/// kOther: a device of a plan or of a test, which brings its kernels along (set_kernels).
enum class DeviceKind : uint8_t { kCpu, kCuda, kGaudi, kOther };

/// Where a device keeps its tensors. The program itself may read and write kHost memory at the
/// tensor's address, at any time; all other memory is reached through the device alone.
enum class Memory : uint8_t { kHost, kDevice };

/// A callable borrowed for the length of a call; copies nothing, allocates nothing.
class BodyRef {
 public:
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, BodyRef>>>
  BodyRef(F&& body)  // NOLINT(google-explicit-constructor): a parameter type, made at the call
      : object_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* object) { (*static_cast<std::remove_reference_t<F>*>(object))(); }) {}
  void operator()() const { call_(object_); }

 private:
  void* object_;
  void (*call_)(void*);
};

/// A named piece of a step. Two runs with an equal Segment do the same work on the same views, so
/// a device may capture the first and replay it.
struct Segment {
  std::string_view name;
  int64_t bucket = 0;  ///< rounded token count
  DType dtype = DType::kF32;
  int64_t sequences = 0;  ///< where the work depends on them
  int64_t rows = 0;       ///< the same: rounded count of picked rows
};

/// Where tensors live and ops run. Ops are queued in order; host reads wait for them.
class Device {
 public:
  explicit Device(Memory memory) : memory_(memory) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  virtual DeviceKind kind() const = 0;
  Memory memory() const { return memory_; }
  /// For the log: processor or GPU, threads, instruction sets.
  virtual std::string description() const = 0;
  /// True when bf16 products run in hardware.
  virtual bool has_bf16() const = 0;

  /// Zeroed memory, aligned to kAlignmentBytes. Throws Error when there is too little.
  virtual Buffer allocate(int64_t size_bytes) = 0;
  virtual void free(std::byte* base, int64_t size_bytes) noexcept = 0;

  /// Copies size_bytes() of the tensor from / to host memory; returns when `host` may be reused.
  virtual void write(Out to, const void* host) = 0;
  virtual void read(const Tensor& from, void* host) = 0;
  /// Copies within the device; equal sizes, no overlap.
  virtual void copy(const Tensor& from, Out to) = 0;
  /// Sets every byte of the tensor to zero.
  virtual void zero(Out to) = 0;

  /// True where a segment is compiled for each of its shapes, which takes minutes: batches are then
  /// filled up to few shapes.
  virtual bool compiles_each_shape() const { return false; }
  /// Runs `body`, or replays what an equal segment did.
  virtual void run(const Segment& segment, BodyRef body) = 0;
  /// Says that an arena made this value: its memory holds nothing yet, and nothing reads it after
  /// the segment in which it was made. A device that compiles segments keeps such a value where it
  /// likes.
  virtual void value_made(const Tensor& /*value*/) {}
  /// Waits until all queued work is done.
  virtual void synchronize() = 0;
  /// Says that parameter buffers were written: prepared copies of weights are no longer valid.
  virtual void parameters_changed() = 0;
  /// Says that only inference runs on this device: prepared copies of all weights are worth their
  /// memory.
  virtual void expect_inference() {}

  /// What runs the ops on this device. Null until ops::kernels_of() gives the device the kernels
  /// of its kind, which it does at the first op.
  ops::Kernels* kernels() const { return kernels_.get(); }
  void set_kernels(std::shared_ptr<ops::Kernels> kernels) { kernels_ = std::move(kernels); }

  /// Where ops note their time (core/profile.h); null: nowhere. It must outlive its use.
  Profile* profile() const { return profile_; }
  void set_profile(Profile* profile) { profile_ = profile; }

 private:
  Memory memory_;
  /// Shared, because a shared pointer deletes a class that core does not know.
  std::shared_ptr<ops::Kernels> kernels_;
  Profile* profile_ = nullptr;
};

}  // namespace bertha
