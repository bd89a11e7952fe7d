#include "backend/gaudi/live_memory.h"

#include <gtest/gtest.h>

namespace bertha::gaudi {
namespace {

/// f32 values of 128 bytes for each unit of size; x lies in memory, and so does the last result.
class LiveMemoryTest : public testing::Test {
 protected:
  LiveMemoryTest() {
    graph_.sections = 1;
    graph_.values.push_back({.sizes = {32}, .section = 0});
  }
  ValueId node(const char* op, std::vector<ValueId> inputs, int64_t units,
               const char* guid = "add_fwd_f32") {
    graph_.values.push_back(
        {.sizes = {32 * units}, .producer = static_cast<int>(graph_.nodes.size())});
    const auto made = static_cast<ValueId>(graph_.values.size() - 1);
    graph_.nodes.push_back(
        {.guid = guid, .inputs = std::move(inputs), .outputs = {made}, .op = op});
    return made;
  }
  void place(ValueId value) { graph_.values[static_cast<size_t>(value)].section = 0; }

  NodeGraph graph_;
};

TEST_F(LiveMemoryTest, AValueLivesToItsLastReader) {
  const ValueId a = node("linear", {0}, 4);
  const ValueId b = node("linear", {a}, 1);
  place(node("linear", {b, b}, 2));
  EXPECT_EQ(live_memory(graph_).peak_bytes, 5 * 128);
  EXPECT_EQ(live_memory(graph_).kept_bytes, 0);
}

TEST_F(LiveMemoryTest, WhatTheBackwardPassReadsIsKept) {
  const ValueId a = node("linear", {0}, 4);
  const ValueId unused_later = node("linear", {a}, 8);
  const ValueId loss = node("cross entropy", {unused_later}, 1);
  place(node("linear, backward", {a, loss}, 1));
  EXPECT_EQ(live_memory(graph_).peak_bytes, 13 * 128);
  EXPECT_EQ(live_memory(graph_).kept_bytes, 5 * 128);
}

TEST_F(LiveMemoryTest, AReshapeHasTheMemoryOfItsOperand) {
  const ValueId a = node("linear", {0}, 4);
  const ValueId same = node("linear", {a}, 4, "reshape");
  const ValueId b = node("linear", {0}, 2);
  place(node("linear", {same, b}, 1));
  EXPECT_EQ(live_memory(graph_).peak_bytes, 6 * 128);
  const ValueId of_memory = node("linear", {0}, 1, "reshape");
  place(node("linear", {of_memory}, 1));
  EXPECT_EQ(live_memory(graph_).peak_bytes, 6 * 128);
}

}  // namespace
}  // namespace bertha::gaudi
