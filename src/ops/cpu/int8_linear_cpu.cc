// A product in two parallel loops: tokens become bytes, then blocks of tokens by channels are
// multiplied. A block of tokens stays in the second-level cache while its channels' weights pass.

#include "ops/cpu/int8_linear_cpu.h"

#include <algorithm>
#include <array>

#include "backend/cpu/cpu_view.h"
#include "backend/cpu/instruction_set.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"

namespace bertha::ops {
namespace {

static_assert(static_cast<int>(Activation::kNone) == 0 && static_cast<int>(Activation::kGelu) == 1);
static_assert(static_cast<int>(Activation::kTanh) == 2 &&
              static_cast<int>(Activation::kGeluTanh) == 3);
static_assert(static_cast<int>(Activation::kRelu) == 4 && static_cast<int>(Activation::kSilu) == 5);

/// Values that make a parallel loop of quantize() worth its start.
constexpr int64_t kQuantizeGrain = 32768;
/// Multiply-adds that make a parallel loop of products worth its start.
constexpr int64_t kProductGrain = 1 << 18;
/// Tokens of a block at most, and bytes of them.
constexpr int64_t kBlockTokens = 192;
constexpr int64_t kBlockBytes = 256 * 1024;

/// CPUID leaf 7, by its subleaf. gcc 12 and clang 14 have no names for the features below.
struct CpuFeatures {
  explicit CpuFeatures(unsigned subleaf) : c(subleaf) {
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  }
  unsigned a = 7, b = 0, c, d = 0;
};

bool cpu_has_amx_int8() {
  return (CpuFeatures(0).d & (1U << 25)) != 0;
}

/// EAX of subleaf 0 is the last subleaf.
bool cpu_has_avx_vnni() {
  return CpuFeatures(0).a >= 1 && (CpuFeatures(1).a & (1U << 4)) != 0;
}

template <typename E>
const Int8RowKernels<E>& row_kernels() {
  static const Int8RowTable& table =
      cpu::best_isa() >= cpu::Isa::kAvx512 ? kInt8RowsAvx512 : kInt8RowsAvx2;
  if constexpr (sizeof(E) == sizeof(float)) {
    return table.f32;
  } else {
    return table.bf16;
  }
}

/// The operands as addresses.
template <typename E>
struct Call {
  const Int8Products& products;
  const E* x;
  const int8_t* weights;
  const float* channel_scales;
  const int32_t* channel_sums;
  const float* bias;
  Activation activation;
  E* y;
  uint8_t* bytes;
  float* scales;
  float* zeros;
  int64_t tokens, inputs, depth, panels;

  Call(const Int8Linear& op, ByteProducts how, Out to_bytes, Out to_scales)
      : products(products_of(how)),
        x(static_cast<const E*>(cpu::address(op.x))),
        weights(cpu::data<int8_t>(op.w.packed)),
        channel_scales(cpu::data<float>(op.w.scales)),
        channel_sums(cpu::data<int32_t>(op.w.sums)),
        bias(cpu::data<float>(op.b)),
        activation(op.activation),
        y(static_cast<E*>(cpu::address(op.y.tensor()))),
        bytes(cpu::data<uint8_t>(to_bytes)),
        scales(cpu::data<float>(to_scales)),
        zeros(scales + op.x.dim(0)),
        tokens(op.x.dim(0)),
        inputs(op.x.dim(1)),
        depth(int8_depth(inputs)),
        panels(op.w.packed.dim(0)) {}
};

template <typename E>
void quantize_tokens(const Call<E>& call) {
  const auto quantize = row_kernels<E>().quantize;
  parallel_for(call.tokens, std::max<int64_t>(1, kQuantizeGrain / call.inputs), [&](int64_t t) {
    quantize(call.x + t * call.inputs, call.inputs, call.depth, call.bytes + t * call.depth,
             call.scales + t, call.zeros + t);
  });
}

/// Tokens [token_begin, token_end) by panels [panel_begin, panel_end).
struct Part {
  int64_t token_begin, token_end;
  int64_t panel_begin, panel_end;
};

/// The panel to fetch while this block is multiplied: block i of a group of panels fetches panel i
/// of the next group, if the group has as many blocks.
const int8_t* panel_ahead(const Part& part, int64_t block, int64_t panel, int64_t group,
                          const int8_t* weights, int64_t panel_bytes) {
  const int64_t next = panel + group + block;
  return block < group && next < part.panel_end ? weights + next * panel_bytes : nullptr;
}

template <typename E>
void multiply_part(const Call<E>& call, const Part& part) {
  alignas(64) int32_t sums[kInt8BlockSums];
  const auto finish = row_kernels<E>().finish[static_cast<size_t>(call.activation)];
  const int64_t panel_bytes = kInt8PanelChannels * call.depth;
  const int64_t columns = call.panels * kInt8PanelChannels;
  const Int8BlockShape shape = call.products.shape(part.token_end - part.token_begin);
  for (int64_t panel = part.panel_begin; panel < part.panel_end; panel += shape.panels) {
    const int64_t panels = std::min(shape.panels, part.panel_end - panel);
    const int64_t channel = panel * kInt8PanelChannels;
    int64_t block = 0;
    for (int64_t t = part.token_begin; t < part.token_end; t += shape.rows) {
      const int64_t rows = std::min(shape.rows, part.token_end - t);
      call.products.multiply(
          {.x = call.bytes + t * call.depth,
           .rows = rows,
           .w = call.weights + panel * panel_bytes,
           .panels = panels,
           .depth = call.depth,
           .ahead = panel_ahead(part, block++, panel, shape.panels, call.weights, panel_bytes),
           .sums = sums});
      finish({.sums = sums,
              .rows = rows,
              .channels = panels * kInt8PanelChannels,
              .row_scales = call.scales + t,
              .row_zeros = call.zeros + t,
              .channel_scales = call.channel_scales + channel,
              .channel_sums = call.channel_sums + channel,
              .bias = call.bias == nullptr ? nullptr : call.bias + channel,
              .y = call.y + t * columns + channel,
              .y_stride = columns});
    }
  }
}

/// How a product is cut into parts.
struct Grid {
  int64_t token_parts, tokens;  ///< number of parts, tokens of each but the last
  int64_t panel_parts, panels;

  Part part(int64_t index, int64_t all_tokens, int64_t all_panels) const {
    const int64_t token = index / panel_parts * tokens;
    const int64_t panel = index % panel_parts * panels;
    return {.token_begin = token,
            .token_end = std::min(token + tokens, all_tokens),
            .panel_begin = panel,
            .panel_end = std::min(panel + panels, all_panels)};
  }
};

constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

template <typename E>
Grid grid_of(const Call<E>& call) {
  constexpr int64_t kPartsOfThread = 4;
  const int64_t most = std::clamp<int64_t>(kBlockBytes / call.depth, kInt8TileRows, kBlockTokens);
  const int64_t blocks = divide_up(call.tokens, most);
  const Int8BlockShape shape = call.products.shape(std::min(call.tokens, most));
  const int64_t tokens = align_up(divide_up(call.tokens, blocks), shape.rows);
  const int64_t token_parts = divide_up(call.tokens, tokens);
  const int64_t wanted = divide_up(kPartsOfThread * thread_count(), token_parts);
  const int64_t panels = align_up(std::max<int64_t>(1, call.panels / wanted), shape.panels);
  return {.token_parts = token_parts,
          .tokens = tokens,
          .panel_parts = divide_up(call.panels, panels),
          .panels = panels};
}

template <typename E>
void run_call(const Call<E>& call) {
  quantize_tokens(call);
  const Grid grid = grid_of(call);
  const int64_t parts = grid.token_parts * grid.panel_parts;
  const int64_t part_work = call.tokens * call.depth * call.panels * kInt8PanelChannels / parts;
  parallel_for(
      parts, std::max<int64_t>(1, kProductGrain / std::max<int64_t>(1, part_work)),
      [&](int64_t index) { multiply_part(call, grid.part(index, call.tokens, call.panels)); });
}

}  // namespace

const char* name_of(ByteProducts products) {
  static constexpr std::array kNames = {"AVX2", "AVX-VNNI", "AVX512-VNNI", "AMX-INT8"};
  return kNames.at(static_cast<size_t>(products));
}

bool has(ByteProducts products) {
  const cpu::Isa limit = cpu::best_isa();
  switch (products) {
    case ByteProducts::kAvx2:
      return true;
    case ByteProducts::kAvxVnni:
      return cpu_has_avx_vnni();
    case ByteProducts::kAvx512Vnni:
      return limit >= cpu::Isa::kAvx512 && __builtin_cpu_supports("avx512vnni") != 0;
    case ByteProducts::kAmx:
      return limit >= cpu::Isa::kAmx && cpu_has_amx_int8();
  }
  return false;
}

ByteProducts best_byte_products() {
  static const ByteProducts best = [] {
    for (const ByteProducts products :
         {ByteProducts::kAmx, ByteProducts::kAvx512Vnni, ByteProducts::kAvxVnni}) {
      if (has(products)) return products;
    }
    return ByteProducts::kAvx2;
  }();
  return best;
}

const Int8Products& products_of(ByteProducts products) {
  switch (products) {
    case ByteProducts::kAvx2:
      break;
    case ByteProducts::kAvxVnni:
      return kInt8ProductsAvxVnni;
    case ByteProducts::kAvx512Vnni:
      return kInt8ProductsVnni;
    case ByteProducts::kAmx:
      return kInt8ProductsAmx;
  }
  return kInt8ProductsAvx2;
}

void int8_linear_cpu(const Int8Linear& op, ByteProducts products, Out bytes, Out scales) {
  BERTHA_CHECK(has(products), "no {} here", name_of(products));
  if (op.x.dtype() == DType::kF32) {
    run_call(Call<float>(op, products, bytes, scales));
  } else {
    run_call(Call<uint16_t>(op, products, bytes, scales));
  }
}

ScratchShapes CpuKernels::scratch(const Int8Linear& op) const {
  const int64_t tokens = op.x.dim(0);
  return {.values = {.shape = {int8_scratch_rows(tokens), int8_depth(op.x.dim(1))},
                     .dtype = DType::kU8},
          .factors = {.shape = {2, tokens}}};
}

void CpuKernels::run(const Int8Linear& op, const Scratch& scratch) {
  int8_linear_cpu(op, best_byte_products(), out(scratch.values), out(scratch.factors));
}

}  // namespace bertha::ops
