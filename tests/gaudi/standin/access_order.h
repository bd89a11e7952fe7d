#pragma once

// Finds accesses to memory that no order connects: for each range the last write and the reads
// since. Whether an access happened before another follows from the streams, the events and the
// waits of the host (vector clocks), not from the time, so that a missing wait is found in each
// run.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bertha::standin {

using StreamNumber = uint64_t;

/// For each stream, how many of its operations are known to be complete.
class Clock {
 public:
  void join(const Clock& other);
  void set(StreamNumber stream, uint64_t operation);
  bool covers(StreamNumber stream, uint64_t operation) const;

 private:
  std::map<StreamNumber, uint64_t> known_;
};

/// The operation of a stream that accesses memory.
struct Access {
  StreamNumber stream = 0;
  uint64_t operation = 0;
  std::string what;  ///< "copy to the device", for messages
};

struct Range {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  uint64_t end() const { return begin + bytes; }
  bool overlaps(const Range& other) const { return begin < other.end() && other.begin < end(); }
};

class AccessOrder {
 public:
  /// Throws Refusal when the last write to the range, or a read of a range that is to be written,
  /// is not before `known`.
  void check_read(const Range& range, const Access& access, const Clock& known) const;
  void check_write(const Range& range, const Access& access, const Clock& known) const;
  void read(const Range& range, const Access& access);
  void write(const Range& range, const Access& access);

  /// Whether every byte of the range was written at least once.
  bool written(const Range& range) const;
  /// The accesses of the range that `known` does not cover: work that may still run.
  std::optional<Access> pending(const Range& range, const Clock& known, bool writes_only) const;
  void forget(const Range& range);

 private:
  struct Cell {
    uint64_t end = 0;
    std::optional<Access> writer;
    std::vector<Access> readers;
  };
  using Cells = std::map<uint64_t, Cell>;

  Cells::const_iterator first_in(const Range& range) const;
  void split(uint64_t address);
  void fill_gaps(const Range& range);

  Cells cells_;
};

}  // namespace bertha::standin
