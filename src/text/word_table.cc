#include "text/word_table.h"

#include <algorithm>

namespace bertha::text {

namespace {

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool belongs(std::string_view piece) {
  return !piece.empty() && piece.size() <= static_cast<size_t>(WordTable::kMaxBytes) &&
         std::all_of(piece.begin(), piece.end(), is_letter_or_digit);
}

}  // namespace

WordTable::WordTable(const Vocabulary& vocabulary) {
  const auto& ids = vocabulary.distinct_ids();
  const auto words = std::count_if(ids.begin(), ids.end(),
                                   [&](int32_t id) { return belongs(vocabulary.piece(id)); });
  const size_t slots = std::bit_ceil(static_cast<size_t>(words) * 2 + 2);
  entries_.resize(slots);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  for (const int32_t id : ids) {
    const std::string_view piece = vocabulary.piece(id);
    if (!belongs(piece)) continue;
    Entry entry;
    std::memcpy(&entry.key, piece.data(), piece.size());
    entry.id = id;
    size_t slot = hash(entry.key) >> shift_;
    while (entries_[slot].id >= 0) slot = (slot + 1) & mask_;
    entries_[slot] = entry;
  }
}

}  // namespace bertha::text
