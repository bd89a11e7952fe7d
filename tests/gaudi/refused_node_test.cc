// Which node of a graph a compiler refuses, with compilers that are rules of the test.

#include "backend/gaudi/refused_node.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bertha::gaudi {
namespace {

/// x in memory, then three nodes in a row; the last writes over x.
NodeGraph chain() {
  NodeGraph graph;
  graph.sections = 1;
  graph.values = {{.sizes = {4, 2}, .section = 0},
                  {.sizes = {4, 2}, .producer = 0},
                  {.type = ElementType::kBF16, .sizes = {4, 2}, .producer = 1},
                  {.sizes = {4, 2}, .section = 0, .producer = 2}};
  graph.nodes = {{.guid = "tanh_fwd_f32", .inputs = {0}, .outputs = {1}, .op = "linear"},
                 {.guid = "cast_f32_to_bf16", .inputs = {1, -1}, .outputs = {2}, .op = "linear"},
                 {.guid = "cast_bf16_to_f32", .inputs = {2}, .outputs = {3}, .op = "convert"}};
  graph.orders = {{0, 2}};
  return graph;
}

bool has(const NodeGraph& graph, const std::string& guid) {
  return std::ranges::any_of(graph.nodes, [&](const GraphNode& node) { return node.guid == guid; });
}

TEST(RefusedNode, IsFoundAlone) {
  int64_t asked = 0;
  const std::string found = find_refused_node(chain(), [&](const NodeGraph& part) {
    EXPECT_EQ(part.nodes.size(), 1U);
    ++asked;
    return !has(part, "cast_f32_to_bf16");
  });
  EXPECT_EQ(found,
            "alone it refuses node 1, cast_f32_to_bf16 of \"linear\", with the operands f32 [4,2], "
            "none and the results bf16 [4,2]");
  EXPECT_EQ(asked, 2);
}

TEST(RefusedNode, IsFoundInCompany) {
  const auto accepts = [](const NodeGraph& part) {
    return !(has(part, "tanh_fwd_f32") && has(part, "cast_f32_to_bf16"));
  };
  EXPECT_EQ(find_refused_node(chain(), accepts).substr(0, 76),
            "it takes each node alone, and all nodes before node 1, cast_f32_to_bf16 of \"");
}

TEST(RefusedNode, AGraphThatIsTakenTheSecondTimeHasNone) {
  EXPECT_EQ(find_refused_node(chain(), [](const NodeGraph&) { return true; }),
            "asked again, it takes the graph");
}

TEST(RefusedNode, EqualNodesAreCompiledOnce) {
  NodeGraph graph;
  graph.sections = 1;
  graph.values = {{.sizes = {4}, .section = 0}};
  for (int i = 0; i < 5; ++i) {
    graph.values.push_back({.sizes = {4}, .producer = i});
    graph.nodes.push_back({.guid = "tanh_fwd_f32", .inputs = {i}, .outputs = {i + 1}});
  }
  int64_t alone = 0;
  find_refused_node(graph, [&](const NodeGraph& part) {
    alone += part.nodes.size() == 1 ? 1 : 0;
    return part.nodes.size() < 5;
  });
  EXPECT_EQ(alone, 1);
}

TEST(RefusedNode, APartReadsWhatOthersMakeFromMemory) {
  const NodeGraph part = part_of(chain(), 1, 3);
  ASSERT_EQ(part.nodes.size(), 2U);
  ASSERT_EQ(part.values.size(), 3U);
  EXPECT_EQ(part.values[0].producer, -1);
  EXPECT_EQ(part.values[0].section, 1);
  EXPECT_EQ(part.values[1].producer, 0);
  EXPECT_EQ(part.values[1].section, kNoSection);
  EXPECT_EQ(part.values[2].section, 0);
  EXPECT_EQ(part.sections, 2);
  EXPECT_TRUE(part.orders.empty()) << "the first node of the order is not in the part";
  EXPECT_EQ(part_of(chain(), 0, 2).values.back().section, 1) << "a result that no node reads";
}

}  // namespace
}  // namespace bertha::gaudi
