#pragma once

// The pieces of a vocabulary as a double-array trie over bytes (Aoe, "An efficient digital search
// algorithm by using a double-array structure", 1989). Each step costs one load and one compare.
// Child positions use exclusive-or instead of a sum, so the children of a node stay in one block of
// 256.

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace bertha::text {

class PieceTrie {
 public:
  /// Holds the first `pieces` pieces of the vocabulary, by default all, except empty lines.
  /// `continuation` marks the pieces that continue a word.
  explicit PieceTrie(const Vocabulary& vocabulary, std::string_view continuation = "##",
                     int64_t pieces = INT64_MAX);

  struct Match {
    int32_t id = -1;  ///< -1: no piece is a prefix
    int64_t bytes = 0;
  };
  /// The longest piece that is a prefix of the text. With `continuing`: the longest piece "##x"
  /// (by the mark of a continuation) whose non-empty x is a prefix of the text. Takes at most as
  /// many steps as the longest piece has bytes.
  Match longest(const char* begin, const char* end, bool continuing) const {
    Match match;
    uint32_t node = continuing ? continuation_ : kRoot;
    for (const char* p = begin; p != end; ++p) {
      node = child(node, *p);
      if (node == kDeadEnd) break;
      if (nodes_[node].id >= 0) match = {nodes_[node].id, p + 1 - begin};
    }
    return match;
  }

 private:
  struct Entry {
    std::string_view piece;
    int32_t id;
  };
  // `base ^ byte` is the child for that byte if its parent is this node.
  struct Node {
    uint32_t base;
    uint32_t parent;
    int32_t id;
  };
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kDeadEnd = 1;          // a node without children and parent
  static constexpr uint32_t kNone = 0xFFFFFFFFU;   // parent of a free slot
  static constexpr uint32_t kTaken = 0xFFFFFFFEU;  // parent of the root
  static constexpr size_t kBlock = 256;

  void build(const std::vector<Entry>& entries);
  uint32_t child(uint32_t node, char byte) const {
    const uint32_t next = nodes_[node].base ^ static_cast<uint8_t>(byte);
    return nodes_[next].parent == node ? next : kDeadEnd;
  }
  uint32_t find_base(const std::vector<uint8_t>& labels);
  bool fits(uint32_t base, const std::vector<uint8_t>& labels) const;
  void grow();

  std::vector<Node> nodes_;
  size_t first_free_ = 0;
  uint32_t continuation_ = kDeadEnd;  // the node of "##", or of another mark
};

}  // namespace bertha::text
