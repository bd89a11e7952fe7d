#include "backend/cpu/onednn.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "backend/cpu/onednn_descriptors.h"
#include "backend/cpu/weight_gradient.h"
#include "core/error.h"
#include "core/profile.h"

namespace bertha::cpu {
namespace {

using dnnl::matmul;
using dnnl::memory;
using Tag = memory::format_tag;

/// Tokens of a weight-gradient product taken at a time: the two copies stay in the caches.
constexpr int64_t kTokenChunk = 512;

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

memory::data_type type_of(DType dtype) {
  BERTHA_CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "product of {}", name_of(dtype));
  return dtype == DType::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
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

enum class Kind : uint8_t { kForward, kBackwardData, kBackwardWeights };

/// The key of a cached primitive.
struct Key {
  Kind kind;
  DType dtype;
  int64_t tokens;
  int64_t rows;     ///< of w
  int64_t columns;  ///< of w
  bool bias = false;
  bool add = false;
  Epilogue epilogue = Epilogue::kNone;

  auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): none is here
};

/// A primitive and the memory objects it is run with; their addresses change from call to call.
struct Product {
  dnnl::primitive primitive{};
  memory source{};
  memory weights{};
  memory target{};
  memory bias{};
  memory scratch{};
  dnnl::reorder copy_source{};  ///< of a weight gradient: from the tensors' layout to the kernel's
  dnnl::reorder copy_weights{};
  memory plain_source{};
  memory plain_weights{};
  // What get_desc() says of them: oneDNN 3 allocates for each call of it.
  memory::desc weights_layout{};
  size_t source_bytes = 0;
  size_t weights_bytes = 0;
  size_t scratch_bytes = 0;
};

/// A weight in the layout a product wants.
struct Prepared {
  memory::desc layout;
  memory copy;
  dnnl::reorder reorder;
  memory plain;
  uint64_t version;
};

struct PreparedKey {
  const void* address;
  Kind kind;
  int64_t rows;
  int64_t columns;

  auto operator<=>(const PreparedKey&) const = default;  // NOLINT(modernize-use-nullptr): as above
};

dnnl_exec_arg_t argument(int index, const memory& value) {
  return {index, value.get(true)};  // an absent one is not among the arguments passed on
}

}  // namespace

struct MatrixProducts::State {
  explicit State(const Device& its_device) : device(its_device) {}

  const Device& device;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<Key, Product> products;
  std::map<PreparedKey, std::vector<Prepared>> prepared;
  /// Three blocks that only grow: oneDNN's own scratch, and the copies of a weight gradient.
  struct Block {
    memory contents;
    size_t size_bytes = 0;
  };
  std::array<Block, 3> blocks;
  std::mutex mutex;  ///< products of several threads take turns; each uses all cores

  memory empty(const memory::desc& desc) { return {desc, engine, nullptr}; }

  /// Address of block `index`, made at least `size_bytes` long.
  void* block(size_t index, size_t size_bytes) {
    Block& have = blocks[index];
    if (!have.contents || have.size_bytes < size_bytes) {
      have.size_bytes = std::max<size_t>(size_bytes, 64);
      const auto bytes = static_cast<int64_t>(have.size_bytes);
      have.contents = memory({{bytes}, memory::data_type::u8, Tag::a}, engine);
    }
    return have.contents.get_data_handle();
  }

  template <size_t kCount>
  void execute(const dnnl::primitive& primitive, const std::array<dnnl_exec_arg_t, kCount>& args,
               size_t count = kCount) {
    const auto status =
        dnnl_primitive_execute(primitive.get(), stream.get(), static_cast<int>(count), args.data());
    BERTHA_CHECK(status == dnnl_success, "oneDNN status {}", static_cast<int>(status));
  }

  void copy(const dnnl::reorder& reorder, const memory& from, const memory& to) {
    execute(reorder, std::array{argument(DNNL_ARG_FROM, from), argument(DNNL_ARG_TO, to)});
  }

  const memory& prepare(const PreparedKey& key, const memory::desc& wanted, uint64_t version);
  memory plain_weight(const PreparedKey& key);
  Product& find(const Key& key);
  Product make(const Key& key);
  Product make_inner_product(const Key& key);
  Product make_matmul(const Key& key);
  Product make_weight_gradient(const Key& key);
  void run(Product& product, const void* bias);
};

/// The bf16 weight at key.address as its product takes it: transposed in the forward pass.
memory MatrixProducts::State::plain_weight(const PreparedKey& key) {
  const auto type = memory::data_type::bf16;
  const memory::desc plain = key.kind == Kind::kForward
                                 ? memory::desc({key.columns, key.rows}, type, Tag::ba)
                                 : memory::desc({key.rows, key.columns}, type, Tag::ab);
  return {plain, engine, const_cast<void*>(key.address)};
}

/// The weight at key.address in the layout `wanted`, copied when there is no copy of `version`.
const memory& MatrixProducts::State::prepare(const PreparedKey& key, const memory::desc& wanted,
                                             uint64_t version) {
  std::vector<Prepared>& copies = prepared[key];
  auto found =
      std::ranges::find_if(copies, [&](const Prepared& one) { return one.layout == wanted; });
  if (found == copies.end()) {
    const memory from = plain_weight(key);
    const memory to(wanted, engine);
    copies.push_back({wanted, to, dnnl::reorder(from, to), from, version + 1});
    found = copies.end() - 1;
  }
  if (found->version != version) {
    const Timed timed(device, "linear, weight layout", [&] {
      return Cost{.bytes = 2 * size_of(DType::kBF16) * key.rows * key.columns};
    });
    copy(found->reorder, found->plain, found->copy);
    found->version = version;
  }
  return found->copy;
}

Product& MatrixProducts::State::find(const Key& key) {
  const auto found = products.find(key);
  if (found != products.end()) return found->second;
  Product& product = products.emplace(key, make(key)).first->second;
  product.weights_layout = product.weights.get_desc();
  product.source_bytes = product.source.get_desc().get_size();
  product.weights_bytes = product.weights_layout.get_size();
  product.scratch_bytes = product.scratch.get_desc().get_size();
  return product;
}

Product MatrixProducts::State::make(const Key& key) {
  if (key.kind == Kind::kBackwardWeights) return make_weight_gradient(key);
  return key.dtype == DType::kF32 ? make_inner_product(key) : make_matmul(key);
}

/// f32 forward: with plain layouts oneDNN runs its packed GEMM, bias included.
Product MatrixProducts::State::make_inner_product(const Key& key) {
  const auto type = memory::data_type::f32;
  const memory::desc x({key.tokens, key.columns}, type, Tag::ab);
  const memory::desc w({key.rows, key.columns}, type, Tag::ab);
  const memory::desc y({key.tokens, key.rows}, type, Tag::ab);
  const memory::desc b({key.rows}, type, Tag::a);
  const auto made = describe_inner_product({.source = x,
                                            .weights = w,
                                            .target = y,
                                            .bias = key.bias ? b : memory::desc(),
                                            .attributes = attributes(key.epilogue, key.add)},
                                           engine);
  return {.primitive = dnnl::inner_product_forward(made),
          .source = empty(x),
          .weights = empty(w),
          .target = empty(y),
          .bias = empty(b),
          .scratch = empty(made.scratchpad_desc())};
}

/// bf16 forward (x wᵀ) and data gradient (d_y w): weights in whatever layout the kernel asks for.
Product MatrixProducts::State::make_matmul(const Key& key) {
  const auto type = type_of(key.dtype);
  const bool forward = key.kind == Kind::kForward;
  const int64_t inner = forward ? key.columns : key.rows;
  const int64_t outer = forward ? key.rows : key.columns;
  const memory::desc source({key.tokens, inner}, type, Tag::ab);
  const memory::desc weights({inner, outer}, type, Tag::any);
  const memory::desc target({key.tokens, outer}, type, Tag::ab);
  const memory::desc b({1, outer}, memory::data_type::f32, Tag::ab);
  const auto made = describe_matmul({.source = source,
                                     .weights = weights,
                                     .target = target,
                                     .bias = key.bias ? b : memory::desc(),
                                     .attributes = attributes(key.epilogue, key.add)},
                                    engine);
  return {.primitive = matmul(made),
          .source = empty(source),
          .weights = empty(made.weights_desc()),
          .target = empty(target),
          .bias = empty(b),
          .scratch = empty(made.scratchpad_desc())};
}

/// bf16 weight gradient of up to kTokenChunk tokens: d_yᵀ is copied to rows, x to what is asked
/// for.
Product MatrixProducts::State::make_weight_gradient(const Key& key) {
  const auto type = type_of(key.dtype);
  const memory::desc transposed({key.rows, key.tokens}, type, Tag::ba);
  const memory::desc x({key.tokens, key.columns}, type, Tag::ab);
  const memory::desc source({key.rows, key.tokens}, type, Tag::ab);
  const memory::desc weights({key.tokens, key.columns}, type, Tag::any);
  const memory::desc target({key.rows, key.columns}, memory::data_type::f32, Tag::ab);
  const auto made = describe_matmul({.source = source,
                                     .weights = weights,
                                     .target = target,
                                     .attributes = attributes(Epilogue::kNone, true)},
                                    engine);
  Product product{.primitive = matmul(made),
                  .source = empty(source),
                  .weights = empty(made.weights_desc()),
                  .target = empty(target),
                  .scratch = empty(made.scratchpad_desc()),
                  .plain_source = empty(transposed),
                  .plain_weights = empty(x)};
  product.copy_source = dnnl::reorder(product.plain_source, product.source);
  product.copy_weights = dnnl::reorder(product.plain_weights, product.weights);
  return product;
}

void MatrixProducts::State::run(Product& product, const void* bias) {
  product.scratch.set_data_handle(block(0, product.scratch_bytes));
  std::array args{
      argument(DNNL_ARG_SRC, product.source), argument(DNNL_ARG_WEIGHTS, product.weights),
      argument(DNNL_ARG_DST, product.target), argument(DNNL_ARG_SCRATCHPAD, product.scratch),
      argument(DNNL_ARG_BIAS, product.bias)};
  if (bias != nullptr) product.bias.set_data_handle(const_cast<void*>(bias));
  execute(product.primitive, args, bias == nullptr ? args.size() - 1 : args.size());
}

MatrixProducts::MatrixProducts(const Device& device) {
  limit_isa();
  state_ = std::make_unique<State>(device);
}

MatrixProducts::~MatrixProducts() = default;

bool MatrixProducts::supports(DType dtype) {
  if (dtype == DType::kF32) return true;
  limit_isa();
  try {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const memory::desc square({16, 16}, type_of(dtype), Tag::ab);
    describe_matmul({.source = square, .weights = square, .target = square}, engine);
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

void MatrixProducts::forward(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue,
                             Out y, uint64_t version) {
  const std::lock_guard lock(state_->mutex);
  Product& product = state_->find({.kind = Kind::kForward,
                                   .dtype = x.dtype(),
                                   .tokens = x.dim(0),
                                   .rows = w.dim(0),
                                   .columns = w.dim(1),
                                   .bias = !b.empty(),
                                   .epilogue = epilogue});
  product.source.set_data_handle(address(x));
  product.target.set_data_handle(address(y.tensor()));
  if (x.dtype() == DType::kF32) {
    product.weights.set_data_handle(address(w));
  } else {
    product.weights = state_->prepare({address(w), Kind::kForward, w.dim(0), w.dim(1)},
                                      product.weights_layout, version);
  }
  state_->run(product, address(b));
}

void MatrixProducts::backward_data(const Tensor& d_y, const Tensor& w, bool add, InOut d_x,
                                   uint64_t version) {
  const int64_t tokens = d_y.dim(0);
  if (d_y.dtype() == DType::kF32) {
    const auto status =
        dnnl_sgemm('N', 'N', tokens, w.dim(1), w.dim(0), 1.0F, data<float>(d_y), w.dim(0),
                   data<float>(w), w.dim(1), add ? 1.0F : 0.0F, data<float>(d_x), w.dim(1));
    BERTHA_CHECK(status == dnnl_success, "oneDNN status {}", static_cast<int>(status));
    return;
  }
  const std::lock_guard lock(state_->mutex);
  Product& product = state_->find({.kind = Kind::kBackwardData,
                                   .dtype = d_y.dtype(),
                                   .tokens = tokens,
                                   .rows = w.dim(0),
                                   .columns = w.dim(1),
                                   .add = add});
  product.source.set_data_handle(address(d_y));
  product.target.set_data_handle(address(d_x.tensor()));
  product.weights = state_->prepare({address(w), Kind::kBackwardData, w.dim(0), w.dim(1)},
                                    product.weights_layout, version);
  state_->run(product, nullptr);
}

void MatrixProducts::backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w) {
  const int64_t tokens = x.dim(0);
  const int64_t rows = d_y.dim(1);
  const int64_t columns = x.dim(1);
  if (x.dtype() == DType::kF32) {
    const auto status = dnnl_sgemm('T', 'N', rows, columns, tokens, 1.0F, data<float>(d_y), rows,
                                   data<float>(x), columns, 1.0F, data<float>(d_w), columns);
    BERTHA_CHECK(status == dnnl_success, "oneDNN status {}", static_cast<int>(status));
    return;
  }
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  if (best_isa() == Isa::kAmx) {
    const WeightGradient product = {.d_y = static_cast<const uint16_t*>(address(d_y)),
                                    .x = static_cast<const uint16_t*>(address(x)),
                                    .d_w = data<float>(d_w),
                                    .tokens = tokens,
                                    .rows = rows,
                                    .columns = columns};
    const auto scratch_bytes = static_cast<size_t>(weight_gradient_scratch_bytes(product));
    return add_weight_gradient_amx(product, state.block(1, scratch_bytes));
  }
  for (int64_t begin = 0; begin < tokens; begin += kTokenChunk) {
    const int64_t count = std::min(kTokenChunk, tokens - begin);
    Product& product = state.find({.kind = Kind::kBackwardWeights,
                                   .dtype = x.dtype(),
                                   .tokens = count,
                                   .rows = rows,
                                   .columns = columns});
    product.plain_source.set_data_handle(address(d_y.rows(begin, count)));
    product.plain_weights.set_data_handle(address(x.rows(begin, count)));
    product.source.set_data_handle(state.block(1, product.source_bytes));
    product.weights.set_data_handle(state.block(2, product.weights_bytes));
    product.target.set_data_handle(address(d_w.tensor()));
    state.copy(product.copy_source, product.plain_source, product.source);
    state.copy(product.copy_weights, product.plain_weights, product.weights);
    state.run(product, nullptr);
  }
}

void MatrixProducts::forget(const void* base, int64_t size_bytes) {
  const std::lock_guard lock(state_->mutex);
  const auto* begin = static_cast<const std::byte*>(base);
  std::erase_if(state_->prepared, [&](const auto& entry) {
    const auto* at = static_cast<const std::byte*>(entry.first.address);
    return at >= begin && at < begin + size_bytes;
  });
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace bertha::cpu
