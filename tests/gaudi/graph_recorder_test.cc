// What the recorder makes of reads and writes of memory: one producer a value, only last values in
// memory, and orders where memory is read before it is written.

#include "backend/gaudi/graph_recorder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "accelerator/under_test.h"
#include "core/context.h"

namespace bertha::gaudi {
namespace {

class GraphRecorderTest : public testing::Test {
 protected:
  GraphRecorderTest() : device_(test::accelerator().open(0)), buffer_(device_->allocate(4096)) {
    recorder_.begin();
  }

  /// f32 [count] from a byte on.
  bertha::Tensor at(int64_t offset_bytes, int64_t count) const {
    return bertha::Tensor(&buffer_, offset_bytes, DType::kF32, {count});
  }
  Value doubled(const Value& x) {
    return recorder_.node("add_fwd_f32", {x, x}, {{x.type, x.sizes}}).front();
  }
  static std::vector<std::string> guids(const NodeGraph& graph) {
    std::vector<std::string> guids;
    for (const GraphNode& node : graph.nodes) guids.push_back(node.guid);
    return guids;
  }
  /// Values that a node writes to memory.
  static int64_t placed(const NodeGraph& graph) {
    return std::ranges::count_if(graph.values, [](const GraphValue& value) {
      return value.section != kNoSection && value.producer >= 0;
    });
  }

  std::unique_ptr<Device> device_;
  Buffer buffer_;
  GraphRecorder recorder_;
};

TEST_F(GraphRecorderTest, ReadAfterWriteGetsTheValue) {
  const Value x = recorder_.read(at(0, 32));
  const Value y = doubled(x);
  recorder_.write(at(128, 32), y);
  EXPECT_EQ(recorder_.read(at(128, 32)).id, y.id);
  EXPECT_EQ(recorder_.read(at(0, 32)).id, x.id);
}

TEST_F(GraphRecorderTest, OnlyTheLastWriteReachesMemory) {
  Value x = recorder_.read(at(0, 32));
  for (int i = 0; i < 3; ++i) recorder_.write(at(128, 32), x = doubled(x));
  const Recording done = recorder_.end();
  EXPECT_EQ(done.graph.nodes.size(), 3U);
  EXPECT_EQ(placed(done.graph), 1);
  EXPECT_EQ(done.graph.sections, 1);
}

TEST_F(GraphRecorderTest, ArenaValuesStayOutOfMemory) {
  const bertha::Tensor made = at(128, 32);
  recorder_.value_made(made);
  recorder_.write(made, doubled(recorder_.read(at(0, 32))));
  recorder_.write(at(256, 32), doubled(recorder_.read(made)));
  const Recording done = recorder_.end();
  EXPECT_EQ(placed(done.graph), 1);
  EXPECT_EQ(done.graph.nodes.size(), 2U);
}

TEST_F(GraphRecorderTest, ArenaValueThatNothingWroteIsADefect) {
  recorder_.value_made(at(128, 32));
  EXPECT_THROW(recorder_.read(at(128, 32)), LogicError);
  EXPECT_THROW(recorder_.read(at(0, 64)), LogicError) << "half of it was not written";
}

TEST_F(GraphRecorderTest, NodesWithoutAWriteAreLeftOut) {
  const Value x = recorder_.read(at(0, 32));
  doubled(doubled(x));
  recorder_.write(at(128, 32), doubled(x));
  EXPECT_EQ(recorder_.end().graph.nodes.size(), 1U);
}

TEST_F(GraphRecorderTest, InPlaceNeedsNoOrderWithItself) {
  recorder_.write(at(0, 32), doubled(recorder_.read(at(0, 32))));
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(placed(graph), 1);
  EXPECT_TRUE(graph.orders.empty());
}

TEST_F(GraphRecorderTest, OtherReadersRunBeforeTheWriter) {
  const Value x = recorder_.read(at(0, 32));
  recorder_.write(at(128, 32), doubled(x));
  recorder_.write(at(0, 32), doubled(x));
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(graph.orders, (std::vector<std::pair<int, int>>{{0, 1}}));
}

TEST_F(GraphRecorderTest, WriterRecordedTooEarlyIsCopiedLast) {
  const Value x = recorder_.read(at(0, 32));
  const Value early = doubled(x);
  recorder_.write(at(128, 32), doubled(x));
  recorder_.write(at(0, 32), early);
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(guids(graph), (std::vector<std::string>{"add_fwd_f32", "add_fwd_f32", "memcpy"}));
  EXPECT_EQ(graph.orders, (std::vector<std::pair<int, int>>{{0, 2}, {1, 2}}));
}

TEST_F(GraphRecorderTest, OneValueInTwoPlacesIsCopied) {
  const Value y = doubled(recorder_.read(at(0, 32)));
  recorder_.write(at(128, 32), y);
  recorder_.write(at(256, 32), y);
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(guids(graph), (std::vector<std::string>{"add_fwd_f32", "memcpy"}));
  EXPECT_EQ(placed(graph), 2);
}

TEST_F(GraphRecorderTest, PartsOfSeveralValuesAreJoined) {
  recorder_.write(at(128, 32), doubled(recorder_.read(at(0, 32))));
  const Value mixed = recorder_.read(at(0, 96));
  EXPECT_EQ(mixed.sizes, (Sizes{96}));
  recorder_.write(at(1024, 96), mixed);
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(guids(graph), (std::vector<std::string>{"add_fwd_f32", "concat"}));
  EXPECT_EQ(graph.nodes[1].inputs.size(), 3U);
}

TEST_F(GraphRecorderTest, ValueCutByALaterWriteKeepsItsRest) {
  recorder_.write(at(0, 96), doubled(recorder_.read(at(1024, 96))));
  recorder_.write(at(128, 32), doubled(recorder_.read(at(2048, 32))));
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(placed(graph), 2);
  EXPECT_EQ(graph.orders, (std::vector<std::pair<int, int>>{{0, 1}}));
}

TEST_F(GraphRecorderTest, UnalignedViewIsCutFromAnAlignedOne) {
  const Value x = recorder_.read(at(20, 10));
  EXPECT_EQ(x.sizes, (Sizes{10}));
  recorder_.write(at(1024, 10), doubled(x));
  const NodeGraph graph = recorder_.end().graph;
  EXPECT_EQ(guids(graph), (std::vector<std::string>{"slice", "add_fwd_f32"}));
  for (const GraphValue& value : graph.values) EXPECT_EQ(value.offset_bytes % 128, 0);
}

TEST_F(GraphRecorderTest, UnalignedWriteTakesItsNeighboursAlong) {
  recorder_.write(at(1024 + 40, 10), doubled(recorder_.read(at(0, 10))));
  const NodeGraph graph = recorder_.end().graph;
  // The concatenation reads a part of what it writes, so the result is copied.
  EXPECT_EQ(guids(graph), (std::vector<std::string>{"add_fwd_f32", "concat", "memcpy"}));
  const auto written = std::ranges::find_if(graph.values, [](const GraphValue& value) {
    return value.section != kNoSection && value.producer >= 0;
  });
  ASSERT_NE(written, graph.values.end());
  EXPECT_EQ(written->offset_bytes, 1024);
  EXPECT_EQ(written->sizes, (Sizes{20}));
  EXPECT_EQ(graph.orders, (std::vector<std::pair<int, int>>{{1, 2}}));
}

TEST_F(GraphRecorderTest, EqualRecordingsHaveEqualKeys) {
  const auto record = [&](int64_t to) {
    recorder_.write(at(to, 32), doubled(recorder_.read(at(0, 32))));
    return recorder_.end().graph.key();
  };
  const std::string first = record(128);
  recorder_.begin();
  EXPECT_EQ(record(128), first);
  recorder_.begin();
  EXPECT_NE(record(256), first);
}

TEST_F(GraphRecorderTest, JsonNamesWhatTheCompilerGets) {
  recorder_.begin_op("doubling");
  recorder_.write(at(128, 32), doubled(recorder_.read(at(0, 32))));
  const std::string json = to_json(recorder_.end().graph, "a segment");
  EXPECT_NE(json.find(R"("name":"a segment")"), std::string::npos);
  EXPECT_NE(json.find(R"("op":"doubling","guid":"add_fwd_f32","inputs":[0,0],"outputs":[1])"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("sizes":[32],"section":0,"offset":128)"), std::string::npos) << json;
}

}  // namespace
}  // namespace bertha::gaudi
