#pragma once

// Where the time of a device goes, op by op. A device without a profile pays one comparison an op.
// The times are those until a call returns: on a device that queues its work (CUDA) they are the
// times that queuing takes. Not for several threads at once.

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/device.h"

namespace bertha {

/// The least an op has to do: operations of its products (two a multiply-add), and bytes of its
/// operands, each read or written once.
struct Cost {
  int64_t flops = 0;
  int64_t bytes = 0;
};

class Profile {
 public:
  struct Entry {
    std::string_view name;
    int64_t calls = 0;
    double seconds = 0;  ///< without those of ops and parts inside it
    double flops = 0;    ///< without those of parts inside it
    double bytes = 0;    ///< without those of parts inside it
  };

  Profile() { entries_.reserve(kRoom); }
  /// In the order of their first calls.
  const std::vector<Entry>& entries() const { return entries_; }
  double seconds() const;
  void clear() { entries_.clear(); }

 private:
  friend class Timed;
  static constexpr size_t kRoom = 64;  ///< more names than a step has, so that it allocates nothing

  void add(std::string_view name, double seconds, Cost cost);

  std::vector<Entry> entries_;
  double inner_seconds_ = 0;  ///< of the ops and parts done inside the op under way
  Cost part_cost_;            ///< of the parts done inside the op under way
};

/// Notes the time from its making to its end in the device's profile, if that has one.
class Timed {
 public:
  /// kOp: work of its own, also where it happens inside another op. kPart: a part of the op under
  /// way, whose cost holds the part's and which gives it up to the part's entry.
  enum class Work : uint8_t { kOp, kPart };

  /// `cost()` gives the op's Cost and is asked for a profile alone; `name` outlives the profile.
  template <typename CostOf>
  Timed(const Device& device, std::string_view name, const CostOf& cost, Work work = Work::kOp)
      : profile_(device.profile()), name_(name), work_(work) {
    if (profile_ == nullptr) return;
    cost_ = cost();
    begin();
  }
  ~Timed() {
    if (profile_ != nullptr) end();
  }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  void begin();
  void end();

  Profile* profile_;
  std::string_view name_;
  Work work_;
  Cost cost_;
  Cost outer_part_cost_;
  double outer_seconds_ = 0;
  std::chrono::steady_clock::time_point start_;
};

/// Sum of the sizes of some operands.
template <typename... Tensors>
int64_t bytes_of(const Tensors&... tensors) {
  return (tensors.size_bytes() + ... + 0);
}

}  // namespace bertha
