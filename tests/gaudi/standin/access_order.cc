#include "gaudi/standin/access_order.h"

#include <algorithm>

#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

[[noreturn]] void refuse_race(const Access& later, const Access& earlier, const Range& range) {
  refuse(kFail, rule::kOrder,
         "{} touches [{:#x}, {:#x}) while the {} of another stream may still run: no event and no "
         "wait orders the two",
         later.what, range.begin, range.end(), earlier.what);
}

}  // namespace

void Clock::join(const Clock& other) {
  for (const auto& [stream, operation] : other.known_) set(stream, operation);
}

void Clock::set(StreamNumber stream, uint64_t operation) {
  uint64_t& known = known_[stream];
  known = std::max(known, operation);
}

bool Clock::covers(StreamNumber stream, uint64_t operation) const {
  const auto found = known_.find(stream);
  return found != known_.end() && found->second >= operation;
}

AccessOrder::Cells::const_iterator AccessOrder::first_in(const Range& range) const {
  auto cell = cells_.upper_bound(range.begin);
  if (cell != cells_.begin() && std::prev(cell)->second.end > range.begin) --cell;
  return cell;
}

std::optional<Access> AccessOrder::pending(const Range& range, const Clock& known,
                                           bool writes_only) const {
  for (auto cell = first_in(range); cell != cells_.end() && cell->first < range.end(); ++cell) {
    const std::optional<Access>& writer = cell->second.writer;
    if (writer && !known.covers(writer->stream, writer->operation)) return writer;
    if (writes_only) continue;
    for (const Access& reader : cell->second.readers) {
      if (!known.covers(reader.stream, reader.operation)) return reader;
    }
  }
  return std::nullopt;
}

void AccessOrder::check_read(const Range& range, const Access& access, const Clock& known) const {
  if (const auto other = pending(range, known, true)) refuse_race(access, *other, range);
}

void AccessOrder::check_write(const Range& range, const Access& access, const Clock& known) const {
  if (const auto other = pending(range, known, false)) refuse_race(access, *other, range);
}

void AccessOrder::split(uint64_t address) {
  auto cell = cells_.upper_bound(address);
  if (cell == cells_.begin()) return;
  --cell;
  if (cell->first == address || cell->second.end <= address) return;
  Cell upper = cell->second;
  cell->second.end = address;
  cells_.emplace(address, std::move(upper));
}

void AccessOrder::fill_gaps(const Range& range) {
  uint64_t at = range.begin;
  for (auto cell = cells_.lower_bound(range.begin);
       cell != cells_.end() && cell->first < range.end(); ++cell) {
    if (cell->first > at) cells_.emplace(at, Cell{.end = cell->first, .writer = {}, .readers = {}});
    at = cell->second.end;
  }
  if (at < range.end()) cells_.emplace(at, Cell{.end = range.end(), .writer = {}, .readers = {}});
}

void AccessOrder::read(const Range& range, const Access& access) {
  if (range.bytes == 0) return;
  split(range.begin);
  split(range.end());
  fill_gaps(range);
  for (auto cell = cells_.find(range.begin); cell != cells_.end() && cell->first < range.end();
       ++cell) {
    std::vector<Access>& readers = cell->second.readers;
    // A stream runs in order: its later reads stand for the earlier ones.
    const auto same = std::ranges::find(readers, access.stream, &Access::stream);
    if (same == readers.end()) {
      readers.push_back(access);
    } else {
      *same = access;
    }
  }
}

void AccessOrder::write(const Range& range, const Access& access) {
  if (range.bytes == 0) return;
  forget(range);
  cells_.emplace(range.begin, Cell{.end = range.end(), .writer = access, .readers = {}});
}

bool AccessOrder::written(const Range& range) const {
  uint64_t at = range.begin;
  for (auto cell = first_in(range); cell != cells_.end() && cell->first < range.end(); ++cell) {
    if (cell->first > at || !cell->second.writer) return false;
    at = cell->second.end;
  }
  return at >= range.end();
}

void AccessOrder::forget(const Range& range) {
  split(range.begin);
  split(range.end());
  cells_.erase(cells_.lower_bound(range.begin), cells_.lower_bound(range.end()));
}

}  // namespace bertha::standin
