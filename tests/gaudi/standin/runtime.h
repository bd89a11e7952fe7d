#pragma once

// The state behind the exports: the handles, the device and its memory, and the submission of work
// to streams. One lock protects it; threads of streams do not take that lock.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "gaudi/standin/access_order.h"
#include "gaudi/standin/graph.h"
#include "gaudi/standin/memory.h"
#include "gaudi/standin/recipe.h"
#include "gaudi/standin/refusal.h"
#include "gaudi/standin/stream.h"

namespace bertha::standin {

/// A number that no handle of any kind had before. It is no address that a process has: a program
/// that dereferences a handle crashes.
uint64_t next_handle_number();

/// Handles of one kind. A number is never used twice, so that a destroyed handle is recognised.
template <typename T>
class Handles {
 public:
  explicit Handles(std::string_view kind) : kind_(kind) {}

  Handle add(std::shared_ptr<T> object) {
    const uint64_t number = next_handle_number();
    live_.emplace(number, std::move(object));
    return reinterpret_cast<Handle>(number);
  }

  std::shared_ptr<T> get(Handle handle) const {
    const auto found = live_.find(reinterpret_cast<uint64_t>(handle));
    if (found != live_.end()) return found->second;
    const bool destroyed = destroyed_.contains(reinterpret_cast<uint64_t>(handle));
    refuse(kInvalidArgument, rule::kHandle, "{:#x} {} {}", reinterpret_cast<uint64_t>(handle),
           destroyed ? "is a destroyed" : "is no", kind_);
  }

  std::shared_ptr<T> remove(Handle handle) {
    std::shared_ptr<T> object = get(handle);
    live_.erase(reinterpret_cast<uint64_t>(handle));
    destroyed_.insert(reinterpret_cast<uint64_t>(handle));
    return object;
  }

  template <typename Condition>
  std::vector<std::shared_ptr<T>> remove_if(const Condition& condition) {
    std::vector<std::shared_ptr<T>> removed;
    for (auto entry = live_.begin(); entry != live_.end();) {
      if (!condition(*entry->second)) {
        ++entry;
        continue;
      }
      destroyed_.insert(entry->first);
      removed.push_back(std::move(entry->second));
      entry = live_.erase(entry);
    }
    return removed;
  }

  const std::map<uint64_t, std::shared_ptr<T>>& live() const { return live_; }

 private:
  std::string_view kind_;
  std::map<uint64_t, std::shared_ptr<T>> live_;
  std::set<uint64_t> destroyed_;
};

struct Event {
  std::shared_ptr<Signal> signal = {};  ///< null before the first record
  Clock clock = {};                     ///< what is complete when the signal is
  bool collects_time = false;
};

struct Device {
  DeviceId id = 0;
  ModuleId module = 0;
  DeviceMemory memory;
};

struct Runtime {
  std::mutex mutex;
  bool initialized = false;
  std::optional<Device> device;
  std::atomic<bool> device_lost{false};
  PinnedHostMemory host;
  AccessOrder order;
  Clock host_clock;
  StreamNumber last_stream = 0;

  Handles<Graph> graphs{"graph"};
  Handles<Section> sections{"section"};
  Handles<Tensor> tensors{"tensor"};
  Handles<const Recipe> recipes{"recipe"};
  Handles<Stream> streams{"stream"};
  Handles<Event> events{"event"};

  /// The runtime of the process. It is never destroyed: threads of streams may run to the end.
  static Runtime& get();

  void check_initialized() const;
  /// The device of this number. Throws Refusal when it is not acquired or is lost.
  Device& acquired(DeviceId id);
  Device& acquired();

  /// Work for a stream, with the memory that it touches.
  struct Work {
    std::string_view call;
    std::vector<Range> reads = {};
    std::vector<Range> writes = {};
    Stream::Operation operation;
  };
  /// Checks the order against other streams, then queues the work. Needs the lock.
  void submit(Stream& stream, Work work);
};

}  // namespace bertha::standin
