// The parts of the flat gradients: those that a backward pass may overwrite, and those that an
// update zeroes.

#include <gtest/gtest.h>

#include <vector>

#include "bert/int8_parameters.h"
#include "bert/parameters.h"

namespace bertha::bert {
namespace {

TEST(FlatRanges, ProductsAndTheRestCoverEveryElementOnce) {
  for (const int64_t hidden : {32, 20}) {
    const Config config = {.vocab_size = 40,
                           .hidden_size = hidden,
                           .num_hidden_layers = 3,
                           .num_attention_heads = 2,
                           .intermediate_size = 48,
                           .max_position_embeddings = 24};
    const ParameterTable table(config, Heads::for_pretraining());
    std::vector<int> covered(static_cast<size_t>(table.flat_size()));
    const auto cover = [&](int64_t begin, int64_t size) {
      for (int64_t i = begin; i < begin + size; ++i) ++covered.at(static_cast<size_t>(i));
    };
    for (const FlatRange& range : table.outside_products()) cover(range.begin, range.size);
    EXPECT_EQ(covered[static_cast<size_t>(table[table.indices().word].offset)], 1);
    EXPECT_EQ(covered[static_cast<size_t>(table[table.indices().layers[1].query_weight].offset)],
              0);
    for (const int index : encoder_matrices(table)) cover(table[index].offset, table[index].size());
    EXPECT_EQ(covered, std::vector<int>(covered.size(), 1));
  }
}

}  // namespace
}  // namespace bertha::bert
