#include "backend/cpu/onednn.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "backend/cpu/cpu_view.h"
#include "backend/cpu/instruction_set.h"
#include "backend/cpu/onednn_descriptors.h"
#include "backend/cpu/thread_scratch.h"
#include "backend/cpu/weight_copies.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "core/profile.h"

namespace bertha::cpu {
namespace {

using dnnl::matmul;
using dnnl::memory;
using Tag = memory::format_tag;

constexpr auto kBF16 = memory::data_type::bf16;
constexpr int64_t kElementBytes = 2;
/// A block of results of this size stays in the second-level cache until it is copied into place.
constexpr int64_t kBlockTokens = 64;
constexpr int64_t kPanelColumns = 256;

/// oneDNN obeys the same limit as our own kernels; it must hear of it before its first primitive.
void limit_isa() {
  static const bool done = [] {
    const std::array isas = {dnnl::cpu_isa::avx2, dnnl::cpu_isa::avx512_core,
                             dnnl::cpu_isa::avx512_core_bf16};
    const auto isa = static_cast<size_t>(best_isa());
    if (isa < isas.size()) dnnl::set_max_cpu_isa(isas[isa]);
    return true;
  }();
  (void)done;
}

/// The thread pool runs blocks in parallel, so oneDNN must not start threads of OpenMP within them.
/// The number of threads is a setting of each thread; primitives keep the number of the thread that
/// makes them.
void use_one_openmp_thread() {
  thread_local const bool done = [] {
    omp_set_num_threads(1);
    return true;
  }();
  (void)done;
}

dnnl::algorithm eltwise_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::kNone:
      break;
    case Epilogue::kGelu:
      return dnnl::algorithm::eltwise_gelu_erf;
    case Epilogue::kTanh:
      return dnnl::algorithm::eltwise_tanh;
    case Epilogue::kGeluTanh:
      return dnnl::algorithm::eltwise_gelu_tanh;
    case Epilogue::kRelu:
      return dnnl::algorithm::eltwise_relu;
    case Epilogue::kSilu:
      return dnnl::algorithm::eltwise_swish;
  }
  return dnnl::algorithm::undef;
}

dnnl::primitive_attr attributes(Epilogue epilogue, bool add) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops post_ops;
  if (add) post_ops.append_sum(1.0F);
  if (epilogue != Epilogue::kNone) {
    // The last number is the factor within SiLU's sigmoid.
    append_activation(post_ops, eltwise_of(epilogue), epilogue == Epilogue::kSilu ? 1.0F : 0.0F);
  }
  attributes.set_post_ops(post_ops);
  return attributes;
}

/// A panel of columns of the right operand [depth, columns], cut from a weight matrix.
struct PanelKey {
  WeightLayout layout;
  int64_t depth;
  int64_t columns;
  int64_t stride;  ///< elements of a row of the weight matrix

  auto operator<=>(const PanelKey&) const = default;  // NOLINT(modernize-use-nullptr): none is here
};

struct Panel {
  memory::desc plain;   ///< in the weight matrix
  memory::desc packed;  ///< as products take it
  dnnl::reorder pack;
  int64_t packed_bytes;  ///< up to the next panel
};

/// The key of a cached primitive: the product of a block.
struct BlockKey {
  PanelKey panel;
  int64_t tokens;
  bool bias;
  bool add;
  Epilogue epilogue;

  auto operator<=>(const BlockKey&) const = default;  // NOLINT(modernize-use-nullptr): as above
};

struct Block {
  matmul primitive;
  memory::desc source, weights, target, bias, scratch;
  int64_t scratch_bytes;
};

/// The operands of a product and what is done with its sums.
struct Call {
  WeightLayout layout;
  const std::byte* source;  ///< [tokens, depth]
  const std::byte* weights;
  std::byte* target;  ///< [tokens, columns]
  const float* bias = nullptr;
  int64_t tokens;
  int64_t depth;
  int64_t columns;
  int64_t stride;  ///< elements of a row of the weights
  bool add = false;
  Epilogue epilogue = Epilogue::kNone;

  int64_t panels() const { return (columns + kPanelColumns - 1) / kPanelColumns; }
  int64_t panel_columns(int64_t panel) const {
    return std::min(kPanelColumns, columns - panel * kPanelColumns);
  }
  int64_t token_blocks() const { return (tokens + kBlockTokens - 1) / kBlockTokens; }
  int64_t block_tokens(int64_t block) const {
    return std::min(kBlockTokens, tokens - block * kBlockTokens);
  }
  PanelKey panel_key(int64_t panel) const {
    return {.layout = layout, .depth = depth, .columns = panel_columns(panel), .stride = stride};
  }
  BlockKey block_key(int64_t block, int64_t panel) const {
    return {.panel = panel_key(panel),
            .tokens = block_tokens(block),
            .bias = bias != nullptr,
            .add = add,
            .epilogue = epilogue};
  }
  /// Where a panel begins in the weight matrix.
  const std::byte* panel_weights(int64_t panel) const {
    const int64_t first = panel * kPanelColumns;
    return weights + kElementBytes * (layout == WeightLayout::kForward ? first * stride : first);
  }
};

}  // namespace

struct MatrixProducts::State {
  State(const Device& its_device, WeightCopies& its_copies)
      : device(its_device), copies(its_copies) {}

  const Device& device;
  WeightCopies& copies;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::mutex mutex;  ///< of the two maps, whose entries stay where they are
  std::map<PanelKey, Panel> panels;
  std::map<BlockKey, Block> blocks;

  memory view(const memory::desc& desc, const void* at) const {
    return {desc, engine, const_cast<void*>(at)};
  }
  const Panel& panel(const PanelKey& key);
  const Block& block(const BlockKey& key);
  Panel make_panel(const PanelKey& key) const;
  Block make_block(const BlockKey& key, const memory::desc& weights) const;
  const std::byte* pack(const Call& call, uint64_t version);
  void run_block(const Call& call, const std::byte* packed, int64_t block, int64_t panel);
  void run(const Call& call, uint64_t version);
};

/// The layout of a panel is what the library wants for blocks of all their tokens. Products of
/// fewer tokens take the same.
Panel MatrixProducts::State::make_panel(const PanelKey& key) const {
  const memory::dims dims = {key.depth, key.columns};
  const bool forward = key.layout == WeightLayout::kForward;
  const memory::desc plain(dims, kBF16,
                           forward ? memory::dims{1, key.stride} : memory::dims{key.stride, 1});
  const BlockKey whole = {.panel = key,
                          .tokens = kBlockTokens,
                          .bias = false,
                          .add = false,
                          .epilogue = Epilogue::kNone};
  const memory::desc packed = make_block(whole, memory::desc(dims, kBF16, Tag::any)).weights;
  return {.plain = plain,
          .packed = packed,
          .pack = dnnl::reorder(view(plain, nullptr), view(packed, nullptr)),
          .packed_bytes = align_up(static_cast<int64_t>(packed.get_size()))};
}

Block MatrixProducts::State::make_block(const BlockKey& key, const memory::desc& weights) const {
  const memory::desc source({key.tokens, key.panel.depth}, kBF16, Tag::ab);
  const memory::desc target({key.tokens, key.panel.columns}, kBF16, Tag::ab);
  const memory::desc bias({1, key.panel.columns}, memory::data_type::f32, Tag::ab);
  const auto made = describe_matmul({.source = source,
                                     .weights = weights,
                                     .target = target,
                                     .bias = key.bias ? bias : memory::desc(),
                                     .attributes = attributes(key.epilogue, key.add)},
                                    engine);
  return {.primitive = matmul(made),
          .source = source,
          .weights = made.weights_desc(),
          .target = target,
          .bias = bias,
          .scratch = made.scratchpad_desc(),
          .scratch_bytes = align_up(static_cast<int64_t>(made.scratchpad_desc().get_size()))};
}

const Panel& MatrixProducts::State::panel(const PanelKey& key) {
  const std::lock_guard lock(mutex);
  const auto found = panels.find(key);
  return found != panels.end() ? found->second : panels.emplace(key, make_panel(key)).first->second;
}

const Block& MatrixProducts::State::block(const BlockKey& key) {
  const memory::desc& weights = panel(key.panel).packed;
  const std::lock_guard lock(mutex);
  const auto found = blocks.find(key);
  if (found != blocks.end()) return found->second;
  return blocks.emplace(key, make_block(key, weights)).first->second;
}

/// All panels but the last one have the same size, so the first says where each begins.
const std::byte* MatrixProducts::State::pack(const Call& call, uint64_t version) {
  const int64_t panel_bytes = panel(call.panel_key(0)).packed_bytes;
  const WeightCopies::Key key = {
      .address = call.weights, .layout = call.layout, .rows = call.depth, .columns = call.columns};
  const int64_t last = call.panels() - 1;
  const int64_t size_bytes = last * panel_bytes + panel(call.panel_key(last)).packed_bytes;
  return copies.get(key, size_bytes, version, [&](std::byte* to) {
    const Timed timed(device, "linear, weight layout",
                      [&] { return Cost{.bytes = 2 * kElementBytes * call.depth * call.columns}; });
    parallel_for(call.panels(), 1, [&](int64_t index) {
      use_one_openmp_thread();
      const Panel& one = panel(call.panel_key(index));
      memory from = view(one.plain, call.panel_weights(index));
      memory packed = view(one.packed, to + index * panel_bytes);
      dnnl::stream stream(engine);
      one.pack.execute(stream, from, packed);
    });
  });
}

/// Copies rows of `row_bytes` between matrices of these strides.
void copy_rows(const std::byte* from, int64_t from_stride, std::byte* to, int64_t to_stride,
               int64_t rows, int64_t row_bytes) {
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(to + row * to_stride, from + row * from_stride, static_cast<size_t>(row_bytes));
  }
}

void MatrixProducts::State::run_block(const Call& call, const std::byte* packed,
                                      int64_t block_index, int64_t panel_index) {
  use_one_openmp_thread();
  const Block& made = block(call.block_key(block_index, panel_index));
  const int64_t tokens = call.block_tokens(block_index);
  const int64_t row_bytes = kElementBytes * call.panel_columns(panel_index);
  const int64_t target_stride = kElementBytes * call.columns;
  const int64_t first = block_index * kBlockTokens;
  std::byte* const target =
      call.target + first * target_stride + kElementBytes * panel_index * kPanelColumns;
  std::byte* const scratch = thread_scratch(made.scratch_bytes + tokens * row_bytes);
  // A panel of the whole width is dense in its place.
  std::byte* const dense = row_bytes == target_stride ? target : scratch + made.scratch_bytes;
  if (call.add && dense != target) {
    copy_rows(target, target_stride, dense, row_bytes, tokens, row_bytes);
  }
  dnnl::stream stream(engine);
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, view(made.source, call.source + kElementBytes * first * call.depth)},
      {DNNL_ARG_WEIGHTS, view(made.weights, packed)},
      {DNNL_ARG_DST, view(made.target, dense)},
      {DNNL_ARG_SCRATCHPAD, view(made.scratch, scratch)}};
  if (call.bias != nullptr) {
    arguments[DNNL_ARG_BIAS] = view(made.bias, call.bias + panel_index * kPanelColumns);
  }
  made.primitive.execute(stream, arguments);
  if (dense != target) copy_rows(dense, row_bytes, target, target_stride, tokens, row_bytes);
}

void MatrixProducts::State::run(const Call& call, uint64_t version) {
  use_one_openmp_thread();
  const int64_t panel_bytes = panel(call.panel_key(0)).packed_bytes;
  const std::byte* const packed = pack(call, version);
  parallel_for(call.token_blocks() * call.panels(), 1, [&](int64_t i) {
    const int64_t panel_index = i % call.panels();
    run_block(call, packed + panel_index * panel_bytes, i / call.panels(), panel_index);
  });
}

MatrixProducts::MatrixProducts(const Device& device, WeightCopies& copies) {
  limit_isa();
  state_ = std::make_unique<State>(device, copies);
}

MatrixProducts::~MatrixProducts() = default;

bool MatrixProducts::supported() {
  limit_isa();
  try {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const memory::desc square({16, 16}, kBF16, Tag::ab);
    describe_matmul({.source = square, .weights = square, .target = square}, engine);
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

void MatrixProducts::forward(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue,
                             Out y, uint64_t version) {
  state_->run({.layout = WeightLayout::kForward,
               .source = static_cast<const std::byte*>(address(x)),
               .weights = static_cast<const std::byte*>(address(w)),
               .target = static_cast<std::byte*>(address(y.tensor())),
               .bias = data<float>(b),
               .tokens = x.dim(0),
               .depth = w.dim(1),
               .columns = w.dim(0),
               .stride = w.dim(1),
               .epilogue = epilogue},
              version);
}

void MatrixProducts::backward_data(const Tensor& d_y, const Tensor& w, bool add, InOut d_x,
                                   uint64_t version) {
  state_->run({.layout = WeightLayout::kBackwardData,
               .source = static_cast<const std::byte*>(address(d_y)),
               .weights = static_cast<const std::byte*>(address(w)),
               .target = static_cast<std::byte*>(address(d_x.tensor())),
               .tokens = d_y.dim(0),
               .depth = w.dim(0),
               .columns = w.dim(1),
               .stride = w.dim(1),
               .add = add},
              version);
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace bertha::cpu
