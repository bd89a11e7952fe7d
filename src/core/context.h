#pragma once

// What ops and layers run in: a device and an arena for their values. The arena is sized before
// the first step by a dry run: the same code with an arena that only measures, in which every op
// checks its operands and does nothing. A steady step therefore allocates nothing.

#include <cstdint>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha {

/// Bump allocator over one device buffer. Values are given back in reverse order, by scopes.
class Arena {
 public:
  /// Measures only: tensors have no memory, peak_bytes() says what a real run needs.
  Arena() = default;
  Arena(Device& device, int64_t capacity_bytes);

  Tensor make(const Shape& shape, DType dtype);
  bool dry() const { return buffer_.size_bytes() == 0; }
  int64_t used_bytes() const { return used_bytes_; }
  int64_t peak_bytes() const { return peak_bytes_; }
  int64_t capacity_bytes() const { return buffer_.size_bytes(); }
  /// Gives back everything made since used_bytes() was `used_bytes`.
  void rewind(int64_t used_bytes);

 private:
  Buffer buffer_;
  int64_t used_bytes_ = 0;
  int64_t peak_bytes_ = 0;
};

class Context {
 public:
  Context(Device& device, Arena& arena) : device_(device), arena_(arena) {}

  Device& device() const { return device_; }
  /// True in a dry run: an op returns after its checks.
  bool dry() const { return arena_.dry(); }
  /// A new value, its contents undefined.
  Tensor make(const Shape& shape, DType dtype) { return arena_.make(shape, dtype); }

  /// Gives back, at the end of a block, what was made in it.
  class Scope {
   public:
    explicit Scope(Context& context) : arena_(context.arena_), mark_(arena_.used_bytes()) {}
    ~Scope() { arena_.rewind(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    int64_t mark_;
  };
  Scope scope() { return Scope(*this); }

 private:
  Device& device_;
  Arena& arena_;
};

/// Bytes of arena that `body(Context&)` needs at most. Calls it once, in a dry run.
template <typename Body>
int64_t measure_arena(Device& device, const Body& body) {
  Arena measure;
  Context context(device, measure);
  body(context);
  return measure.peak_bytes();
}

}  // namespace bertha
