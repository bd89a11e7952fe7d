#include "text/piece_trie.h"

#include <algorithm>

namespace bertha::text {

namespace {

// How far back from the end the search for free slots goes for a node with several children. Nodes
// with one child, which most are, take the slots that it leaves free.
constexpr size_t kSearchedSlots = 1024;

}  // namespace

PieceTrie::PieceTrie(const Vocabulary& vocabulary, std::string_view continuation, int64_t pieces) {
  std::vector<Entry> entries;
  for (const int32_t id : vocabulary.distinct_ids()) {
    if (id < pieces && !vocabulary.piece(id).empty()) entries.push_back({vocabulary.piece(id), id});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.piece < b.piece; });
  build(entries);
  continuation_ = kRoot;
  for (const char byte : continuation) continuation_ = child(continuation_, byte);
}

void PieceTrie::build(const std::vector<Entry>& entries) {
  // A node and its entries [begin, end), which share their first `depth` bytes.
  struct Task {
    uint32_t node;
    size_t begin, end, depth;
  };
  grow();
  nodes_[kRoot].parent = nodes_[kDeadEnd].parent = kTaken;
  std::vector<Task> tasks{{kRoot, 0, entries.size(), 0}};
  std::vector<uint8_t> labels;
  while (!tasks.empty()) {
    Task task = tasks.back();
    tasks.pop_back();
    if (task.begin < task.end && entries[task.begin].piece.size() == task.depth) {
      nodes_[task.node].id = entries[task.begin++].id;
    }
    const auto label_of = [&](size_t i) {
      return static_cast<uint8_t>(entries[i].piece[task.depth]);
    };
    labels.clear();
    for (size_t i = task.begin; i < task.end; ++i) {
      if (labels.empty() || labels.back() != label_of(i)) labels.push_back(label_of(i));
    }
    if (labels.empty()) continue;
    const uint32_t base = find_base(labels);
    nodes_[task.node].base = base;
    for (const uint8_t label : labels) {
      const uint32_t node = base ^ label;
      nodes_[node].parent = task.node;
      size_t end = task.begin;
      while (end < task.end && label_of(end) == label) ++end;
      tasks.push_back({node, task.begin, end, task.depth + 1});
      task.begin = end;
    }
  }
}

void PieceTrie::grow() {
  nodes_.resize(nodes_.size() + kBlock, Node{0, kNone, -1});
}

bool PieceTrie::fits(uint32_t base, const std::vector<uint8_t>& labels) const {
  return std::all_of(labels.begin(), labels.end(),
                     [&](uint8_t label) { return nodes_[base ^ label].parent == kNone; });
}

uint32_t PieceTrie::find_base(const std::vector<uint8_t>& labels) {
  while (first_free_ < nodes_.size() && nodes_[first_free_].parent != kNone) ++first_free_;
  const size_t from = labels.size() == 1 || nodes_.size() < kSearchedSlots
                          ? first_free_
                          : std::max(first_free_, nodes_.size() - kSearchedSlots);
  for (size_t slot = from; slot < nodes_.size(); ++slot) {
    if (nodes_[slot].parent != kNone) continue;
    const uint32_t base = static_cast<uint32_t>(slot) ^ labels[0];
    if (fits(base, labels)) return base;
  }
  const auto fresh = static_cast<uint32_t>(nodes_.size());
  grow();
  return fresh;
}

}  // namespace bertha::text
