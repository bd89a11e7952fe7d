// Speed of linear's matrix products at BERT-Base's sizes, compared with the speed that this machine
// reached in the same run: for f32 a loop of fused multiply-adds in registers, for bf16 the best
// square product. Usage: ops_bench [tokens ...]

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "peak.h"

namespace bertha {
namespace {

using bench::Operands;

struct Product {
  const char* name;
  int64_t inner;
  int64_t outer;
};
constexpr Product kProducts[] = {{"query, key, value", 768, 2304},
                                 {"attention output", 768, 768},
                                 {"intermediate", 768, 3072},
                                 {"output", 3072, 768}};

void print_rates(const Product& product, int64_t tokens, DType dtype, double ceiling) {
  Operands operands(tokens, product.inner, product.outer, dtype);
  const double rates[] = {operands.forward(), operands.backward_data(),
                          operands.backward_weights()};
  fmt::print("{:18} {:5} {:4}", product.name, tokens, name_of(dtype));
  for (const double rate : rates) fmt::print(" {:9.0f} {:4.0f} %", rate, 100 * rate / ceiling);
  fmt::print("\n");
}

void run(const std::vector<int64_t>& token_counts) {
  const cpu::CpuDevice device;
  fmt::print("{}\n", device.description());
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    if (dtype == DType::kBF16 && !device.has_bf16()) continue;
    const double ceiling = bench::ceiling_of(dtype);
    fmt::print("{}: {:.0f} GFLOP/s\n",
               dtype == DType::kF32 ? "multiply-adds in registers" : "best square bf16 product",
               ceiling);
    fmt::print("{:29} {:>16} {:>16} {:>16}   GFLOP/s, share\n", "product, tokens, dtype", "forward",
               "d_x", "d_w");
    for (const int64_t tokens : token_counts) {
      for (const Product& product : kProducts) print_rates(product, tokens, dtype, ceiling);
    }
  }
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  std::vector<int64_t> token_counts;
  for (int i = 1; i < argc; ++i) token_counts.push_back(std::max(1L, std::atol(argv[i])));
  if (token_counts.empty()) token_counts = {1024, 4096, 8192};
  bertha::run(token_counts);
}
