#pragma once

// Short vocabulary words of ASCII letters and digits: nine of ten words in English text. A key of
// sixteen bytes holds the zero-padded word, so that one hash and one compare find its id.

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "text/vocabulary.h"

namespace bertha::text {

class WordTable {
 public:
  static constexpr int64_t kMaxBytes = 15;

  /// A word, padded with zeros.
  struct Key {
    uint64_t low = 0;
    uint64_t high = 0;
  };

  explicit WordTable(const Vocabulary& vocabulary);

  /// The id, or -1.
  int32_t find(const Key& key) const {
    for (size_t slot = hash(key) >> shift_;; slot = (slot + 1) & mask_) {
      const Entry& entry = entries_[slot];
      if (entry.key.low == key.low && entry.key.high == key.high) return entry.id;
      if (entry.id < 0) return -1;
    }
  }

 private:
  struct Entry {
    Key key;
    int32_t id = -1;
  };
  static uint64_t hash(const Key& key) {
    return (key.low ^ std::rotl(key.high * 0x9E3779B97F4A7C15U, 29)) * 0xD6E8FEB86659FD93U;
  }

  std::vector<Entry> entries_;  // open addressing; at most half of the slots are used
  int shift_ = 0;
  size_t mask_ = 0;
};

}  // namespace bertha::text
