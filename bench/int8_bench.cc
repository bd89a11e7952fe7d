// Speed of int8 products at the sizes of MiniLM and BERT-Base, compared with the instruction's
// speed in registers, with the speed of reading the weights, and with the products in fp32 and
// bf16. Usage: int8_bench [tokens ...]

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "ops/cpu/int8_linear_cpu.h"
#include "peak.h"

namespace bertha {
namespace {

using ops::ByteProducts;

struct Product {
  const char* name;
  int64_t inputs;
  int64_t channels;
};
constexpr Product kProducts[] = {{"MiniLM qkv", 384, 1152},    {"MiniLM output", 384, 384},
                                 {"MiniLM up", 384, 1536},     {"MiniLM down", 1536, 384},
                                 {"Base qkv", 768, 2304},      {"Base output", 768, 768},
                                 {"Base up, GELU", 768, 3072}, {"Base down", 3072, 768}};
/// Weights that no cache holds: few tokens are bound by reading them.
constexpr int64_t kWeightBytes = int64_t{96} << 20;

/// GOP/s of a block that stays in the first-level cache, on all threads.
double register_rate(ByteProducts how) {
  constexpr int64_t kDepth = 256;
  constexpr int64_t kRounds = 20000;
  const ops::Int8Products& products = ops::products_of(how);
  const ops::Int8BlockShape shape = products.shape(1000);
  const double seconds = bench::shortest([&] {
    parallel_items(thread_count(), [&](int64_t) {
      alignas(64) static thread_local uint8_t x[ops::kInt8TileRows * kDepth];
      alignas(64) static thread_local int8_t w[64 * kDepth];
      alignas(64) static thread_local int32_t sums[ops::kInt8BlockSums];
      for (int64_t i = 0; i < kRounds; ++i) {
        products.multiply({x, shape.rows, w, shape.panels, kDepth, nullptr, sums});
      }
    });
  });
  const int64_t sums = shape.rows * shape.panels * ops::kInt8PanelChannels;
  return 2e-9 * static_cast<double>(kRounds * thread_count() * kDepth * sums) / seconds;
}

/// Copies of one weight, so that a run reads them from memory as a model's layers do.
class Weights {
 public:
  Weights(cpu::CpuDevice& device, const Product& product)
      : shape_(ops::int8_packed_shape(product.channels, product.inputs)),
        copies_(std::max<int64_t>(1, kWeightBytes / shape_.size())),
        channels_(product.channels),
        packed_(device.allocate(copies_ * shape_.size())),
        scales_(device.allocate(channels_ * 4)),
        sums_(device.allocate(channels_ * 4)) {
    // Untouched memory is one page of zeros to the system, and in the first-level cache.
    std::fill_n(cpu::data<int8_t>(out(Tensor(&packed_, 0, DType::kI8, {packed_.size_bytes()}))),
                packed_.size_bytes(), int8_t{3});
  }

  int64_t copies() const { return copies_; }
  ops::Int8Weight copy(int64_t index) const {
    return {.packed = Tensor(&packed_, index * shape_.size(), DType::kI8, shape_),
            .scales = Tensor(&scales_, 0, DType::kF32, {channels_}),
            .sums = Tensor(&sums_, 0, DType::kI32, {channels_})};
  }

 private:
  Shape shape_;
  int64_t copies_, channels_;
  Buffer packed_, scales_, sums_;
};

/// Seconds of one product.
double int8_seconds(const Product& product, int64_t tokens, ByteProducts how) {
  cpu::CpuDevice device;
  const Weights weights(device, product);
  Arena arena(device, 16 * tokens * (product.inputs + product.channels) + (int64_t{1} << 20));
  Context context(device, arena);
  const Tensor bytes =
      context.make({ops::int8_scratch_rows(tokens), ops::int8_depth(product.inputs)}, DType::kU8);
  const Tensor scales = context.make({2, tokens}, DType::kF32);
  ops::Int8Linear op = {.x = context.make({tokens, product.inputs}, DType::kF32),
                        .w = weights.copy(0),
                        .activation = product.channels == 4 * product.inputs
                                          ? ops::Activation::kGelu
                                          : ops::Activation::kNone,
                        .y = out(context.make({tokens, product.channels}, DType::kF32))};
  const double all = bench::shortest([&] {
    for (int64_t copy = 0; copy < weights.copies(); ++copy) {
      op.w = weights.copy(copy);
      ops::int8_linear_cpu(op, how, out(bytes), out(scales));
    }
  });
  return all / static_cast<double>(weights.copies());
}

void print_row(const Product& product, int64_t tokens, ByteProducts how, double peak) {
  const double operations =
      2.0 * static_cast<double>(tokens) * static_cast<double>(product.inputs * product.channels);
  const double seconds = int8_seconds(product, tokens, how);
  const double rate = operations / seconds * 1e-9;
  fmt::print("{:14} {:5} {:9.0f} {:4.0f} % {:6.1f}", product.name, tokens, rate, 100 * rate / peak,
             static_cast<double>(product.inputs * product.channels) / seconds * 1e-9);
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    if (!ops::has_products(dtype)) continue;
    bench::Operands operands(tokens, product.inputs, product.channels, dtype);
    fmt::print(" {:9.0f}", operands.forward());
  }
  fmt::print("\n");
}

void run(const std::vector<int64_t>& token_counts) {
  const cpu::CpuDevice device;
  const ByteProducts how = ops::best_byte_products();
  const double peak = register_rate(how);
  fmt::print("{}\n{} in registers: {:.0f} GOP/s; memory {:.1f} GB/s\n", device.description(),
             ops::name_of(how), peak, bench::measured_bandwidth());
  fmt::print("{:14} {:>5} {:>9} {:>6} {:>6} {:>9} {:>9}\n", "product", "T", "GOP/s", "share",
             "GB/s", "fp32", "bf16 GFLOP/s");
  for (const int64_t tokens : token_counts) {
    for (const Product& product : kProducts) print_row(product, tokens, how, peak);
  }
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  std::vector<int64_t> token_counts;
  for (int i = 1; i < argc; ++i) token_counts.push_back(std::max(1L, std::atol(argv[i])));
  if (token_counts.empty()) token_counts = {1, 16, 128, 1024};
  bertha::run(token_counts);
}
