#pragma once

// The articles that have been read, so that one that comes again is known: apart in a dump, or in
// another part of it.

#include <cstdint>
#include <string_view>
#include <vector>

#include "corpus/dump_reader.h"

namespace bertha::corpus {

/// Keeps a fingerprint of 64 bits of an article's address and title, not of its number alone: parts
/// may belong to several wikis. Needs 11 to 22 bytes an article: 128 MB for the largest Wikipedia.
class PageRegister {
 public:
  /// Beyond this number, articles are no longer remembered, so that memory is bounded.
  static constexpr size_t kMostPages = size_t{1} << 25;

  /// False when an article of this address and title was added before. `url` is that of its number.
  /// Articles without a number are always new.
  bool add(std::string_view url, const Page& page);

 private:
  /// The slot of a fingerprint, or the empty one where it belongs.
  size_t slot_of(uint64_t fingerprint) const;
  void grow();

  std::vector<uint64_t> slots_;  ///< open addressing; a power of two of them; 0: empty
  size_t pages_ = 0;
};

}  // namespace bertha::corpus
