// Tensors are row-major and the library is column-major, so every matrix is passed as its
// transpose. y = x wᵀ becomes yᵀ = w xᵀ, and so on; a row-major [R,C] is a column-major C x R of
// leading dimension C.

#include "backend/cuda/products.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <map>
#include <tuple>
#include <vector>

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/handles.h"
#include "backend/cuda/launch_scope.h"
#include "backend/cuda/plain_products.h"
#include "backend/cuda/product_choices.h"

namespace bertha::cuda {
namespace {

constexpr int64_t kWorkspaceBytes = int64_t{64} << 20;
constexpr int kCandidates = 8;
constexpr int kRounds = 5;  ///< timed runs of a candidate
/// A larger alignment gives the library nothing, and would make more plans of one shape.
constexpr uint32_t kMostAlignment = 16;

cudaDataType_t type_of(Fp8Format format) {
  return format == Fp8Format::kE4M3 ? CUDA_R_8F_E4M3 : CUDA_R_8F_E5M2;
}

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// D [m,n] = op(A) [m,k] op(B) [k,n] (+ D), column-major.
struct Problem {
  bool transpose_a = false;
  bool transpose_b = false;
  int64_t m = 0, n = 0, k = 0;
  cudaDataType_t a = CUDA_R_32F;
  cudaDataType_t b = CUDA_R_32F;
  DType out = DType::kF32;
  bool add = false;
  bool has_bias = false;                ///< of type `out`, added to each column
  uint32_t alignment = kMostAlignment;  ///< of all addresses, in bytes

  auto key() const {
    return std::tuple(transpose_a, transpose_b, m, n, k, a, b, out, add, has_bias, alignment);
  }
  bool operator<(const Problem& other) const { return key() < other.key(); }
  bool is_fp8() const { return a == CUDA_R_8F_E4M3 || a == CUDA_R_8F_E5M2; }
  static const char* name(cudaDataType_t type) {
    switch (type) {
      case CUDA_R_8F_E4M3:
        return "e4m3";
      case CUDA_R_8F_E5M2:
        return "e5m2";
      default:
        return name_of(type == CUDA_R_16BF ? DType::kBF16 : DType::kF32);
    }
  }
  std::string to_string() const {
    return fmt::format("{}{}:{}x{}x{}:{},{}>{}{}{}:{}", transpose_a ? 'T' : 'N',
                       transpose_b ? 'T' : 'N', m, n, k, name(a), name(b), name_of(out),
                       add ? "+" : "", has_bias ? "b" : "", alignment);
  }
};

struct Operands {
  const void* a;
  const void* b;
  void* d;
  const void* bias;
  const void* a_inverse = nullptr;  ///< f32 on the device: what fp8 factors are multiplied by
  const void* b_inverse = nullptr;
};

/// The largest power of 2 up to kMostAlignment that divides every address; null counts as aligned.
uint32_t alignment_of(const Operands& operands) {
  uintptr_t bits = kMostAlignment;
  for (const void* address :
       {operands.a, operands.b, static_cast<const void*>(operands.d), operands.bias}) {
    bits |= reinterpret_cast<uintptr_t>(address);
  }
  return 1U << std::countr_zero(bits);
}

OwnedLayout make_layout(cudaDataType_t type, int64_t rows, int64_t columns) {
  return make<OwnedLayout>("cublasLtMatrixLayoutCreate", cublasLtMatrixLayoutCreate, type,
                           static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows);
}

template <typename T>
void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, T value) {
  BERTHA_CUDA(cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof(value)));
}
template <typename T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
         T value) {
  BERTHA_CUDA(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
}

OwnedProduct make_product(const Problem& problem) {
  auto product = make<OwnedProduct>("cublasLtMatmulDescCreate", cublasLtMatmulDescCreate,
                                    CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const auto operation = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(product.get(), CUBLASLT_MATMUL_DESC_TRANSA, operation(problem.transpose_a));
  set(product.get(), CUBLASLT_MATMUL_DESC_TRANSB, operation(problem.transpose_b));
  if (problem.has_bias) {
    set(product.get(), CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
  }
  return product;
}

/// The properties of a product that do not depend on the addresses of its operands.
struct Plan {
  explicit Plan(const Problem& problem)
      : product(make_product(problem)),
        a(make_layout(problem.a, problem.transpose_a ? problem.k : problem.m,
                      problem.transpose_a ? problem.m : problem.k)),
        b(make_layout(problem.b, problem.transpose_b ? problem.n : problem.k,
                      problem.transpose_b ? problem.k : problem.n)),
        d(make_layout(type_of(problem.out), problem.m, problem.n)) {}

  OwnedProduct product;
  OwnedLayout a, b, d;
  std::vector<cublasLtMatmulAlgo_t> candidates;  ///< best by the library's estimate first
  bool chosen = false;
  size_t choice = 0;  ///< among the candidates
};

}  // namespace

struct MatrixProducts::State {
  explicit State(CudaDevice& on)
      : device(on),
        library(make<OwnedLt>("cublasLtCreate", cublasLtCreate)),
        choices(choices_path()) {
    workspace = device.allocate(kWorkspaceBytes);
  }

  static std::string choices_path() {
    const char* const path = std::getenv("BERTHA_CUDA_PLANS");
    return path == nullptr ? "" : path;
  }

  /// The plan of a problem, its candidates listed; none when the library has no such product.
  Plan& find(const Problem& problem);
  void list_candidates(const Problem& problem, Plan& plan) const;
  void choose(const Problem& problem, const Operands& operands, Plan& plan);
  int fastest(const Problem& problem, const Operands& operands, Plan& plan);
  double milliseconds(const Problem& problem, const Operands& operands, Plan& plan);
  void multiply(const Problem& problem, const Operands& operands, Plan& plan) const;
  /// Memory for the results of timed runs, kept for the next ones. No graph names it, so it does
  /// not come from the device: graphs are dropped when memory of the device is freed.
  void* trial_result(int64_t size_bytes);
  /// Finds or makes the plan, then multiplies. False when the library has no such product.
  bool run(Problem problem, const Operands& operands);

  CudaDevice& device;
  OwnedLt library;
  ProductChoices choices;
  Buffer workspace;
  OwnedMemory trial;
  int64_t trial_bytes = 0;
  std::map<Problem, Plan> plans;
};

namespace {

void set_scales(Plan& plan, const void* a_inverse, const void* b_inverse) {
  set(plan.product.get(), CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, a_inverse);
  set(plan.product.get(), CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, b_inverse);
}

}  // namespace

void MatrixProducts::State::list_candidates(const Problem& problem, Plan& plan) const {
  const auto preference =
      make<OwnedPreference>("cublasLtMatmulPreferenceCreate", cublasLtMatmulPreferenceCreate);
  set(preference.get(), CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      static_cast<uint64_t>(kWorkspaceBytes));
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    set(preference.get(), attribute, problem.alignment);
  }
  // The library proposes no algorithm for a null bias. Only multiply() uses the address. The
  // workspace is aligned as the bias of the problem is, or better.
  if (problem.has_bias) {
    set(plan.product.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER,
        static_cast<const void*>(workspace.base()));
  }
  if (problem.is_fp8()) set_scales(plan, workspace.base(), workspace.base());
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      library.get(), plan.product.get(), plan.a.get(), plan.b.get(), plan.d.get(), plan.d.get(),
      preference.get(), kCandidates, results.data(), &count);
  // Both say that the library has no such product. The other arguments were checked when they were
  // made.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return;
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  for (int i = 0; i < count; ++i) {
    const cublasLtMatmulHeuristicResult_t& result = results[static_cast<size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) plan.candidates.push_back(result.algo);
  }
}

void* MatrixProducts::State::trial_result(int64_t size_bytes) {
  if (size_bytes > trial_bytes) {
    trial.reset();
    trial_bytes = 0;
    void* memory = nullptr;
    BERTHA_CUDA(cudaMalloc(&memory, static_cast<size_t>(size_bytes)));
    trial.reset(memory);
    trial_bytes = size_bytes;
  }
  return trial.get();
}

Plan& MatrixProducts::State::find(const Problem& problem) {
  const auto [place, fresh] = plans.try_emplace(problem, problem);
  if (fresh) list_candidates(problem, place->second);
  return place->second;
}

void MatrixProducts::State::multiply(const Problem& problem, const Operands& operands,
                                     Plan& plan) const {
  const float one = 1;
  const float beta = problem.add ? 1 : 0;
  if (problem.has_bias) {
    set(plan.product.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias);
  }
  if (problem.is_fp8()) set_scales(plan, operands.a_inverse, operands.b_inverse);
  const LaunchScope scope(
      device, [&] { return problem.to_string(); }, device.stream());
  check(cublasLtMatmul(library.get(), plan.product.get(), &one, operands.a, plan.a.get(),
                       operands.b, plan.b.get(), &beta, operands.d, plan.d.get(), operands.d,
                       plan.d.get(), &plan.candidates[plan.choice], workspace.base(),
                       static_cast<size_t>(kWorkspaceBytes), device.stream()),
        "cublasLtMatmul");
}

double MatrixProducts::State::milliseconds(const Problem& problem, const Operands& operands,
                                           Plan& plan) {
  const auto start = make<OwnedEvent>("cudaEventCreate", cudaEventCreateWithFlags, 0U);
  const auto end = make<OwnedEvent>("cudaEventCreate", cudaEventCreateWithFlags, 0U);
  multiply(problem, operands, plan);
  BERTHA_CUDA(cudaEventRecord(start.get(), device.stream()));
  for (int i = 0; i < kRounds; ++i) multiply(problem, operands, plan);
  BERTHA_CUDA(cudaEventRecord(end.get(), device.stream()));
  BERTHA_CUDA(cudaEventSynchronize(end.get()));
  float elapsed = 0;
  BERTHA_CUDA(cudaEventElapsedTime(&elapsed, start.get(), end.get()));
  return static_cast<double>(elapsed) / kRounds;
}

int MatrixProducts::State::fastest(const Problem& problem, const Operands& operands, Plan& plan) {
  // Results go to scratch memory, because runs that add would change the real output each time.
  Operands apart = operands;
  apart.d = trial_result(problem.m * problem.n * size_of(problem.out));
  double best = std::numeric_limits<double>::infinity();
  int choice = 0;
  for (size_t i = 0; i < plan.candidates.size(); ++i) {
    plan.choice = i;
    const double time = milliseconds(problem, apart, plan);
    if (time >= best) continue;
    best = time;
    choice = static_cast<int>(i);
  }
  return choice;
}

void MatrixProducts::State::choose(const Problem& problem, const Operands& operands, Plan& plan) {
  plan.chosen = true;
  const std::string key = fmt::format("{};cublasLt {};{}", device.description(),
                                      cublasLtGetVersion(), problem.to_string());
  std::optional<int> known = choices.find(key);
  if (!known && choices.measures()) {
    known = fastest(problem, operands, plan);
    choices.add(key, *known);
  }
  plan.choice = std::min(static_cast<size_t>(known.value_or(0)), plan.candidates.size() - 1);
}

bool MatrixProducts::State::run(Problem problem, const Operands& operands) {
  problem.alignment = alignment_of(operands);
  Plan& plan = find(problem);
  if (plan.candidates.empty()) return false;
  if (!plan.chosen) choose(problem, operands, plan);
  multiply(problem, operands, plan);
  return true;
}

MatrixProducts::MatrixProducts(CudaDevice& device) : state_(std::make_unique<State>(device)) {}
MatrixProducts::~MatrixProducts() = default;

void MatrixProducts::forward(const Tensor& x, const Tensor& w, const Tensor& b, Out y) {
  BERTHA_CHECK(b.empty() || b.dtype() == x.dtype(), "bias is {}", name_of(b.dtype()));
  Operands operands = {
      .a = address(w), .b = address(x), .d = address(y.tensor()), .bias = address(b)};
  Problem problem = {.transpose_a = true,
                     .transpose_b = false,
                     .m = w.dim(0),
                     .n = x.dim(0),
                     .k = x.dim(1),
                     .a = type_of(x.dtype()),
                     .b = type_of(x.dtype()),
                     .out = x.dtype(),
                     .has_bias = !b.empty()};
  if (state_->run(problem, operands)) return;
  problem.has_bias = false;
  operands.bias = nullptr;
  if (b.empty() || !state_->run(problem, operands)) {
    plain_product(state_->device, factor(x), transposed(w), x.dim(1), false, inout(y.tensor()));
  }
  if (!b.empty()) add_to_rows(state_->device, b, inout(y.tensor()));
}

void MatrixProducts::backward_data(const Tensor& d_y, const Tensor& w, bool add, Out d_x) {
  const Problem problem = {.transpose_a = false,
                           .transpose_b = false,
                           .m = w.dim(1),
                           .n = d_y.dim(0),
                           .k = w.dim(0),
                           .a = type_of(d_y.dtype()),
                           .b = type_of(d_y.dtype()),
                           .out = d_x.tensor().dtype(),
                           .add = add};
  if (state_->run(
          problem,
          {.a = address(w), .b = address(d_y), .d = address(d_x.tensor()), .bias = nullptr})) {
    return;
  }
  plain_product(state_->device, factor(d_y), factor(w), w.dim(0), add, inout(d_x.tensor()));
}

void MatrixProducts::backward_weights(const Tensor& d_y, const Tensor& x, bool add, InOut d_w) {
  const Problem problem = {.transpose_a = false,
                           .transpose_b = true,
                           .m = x.dim(1),
                           .n = d_y.dim(1),
                           .k = x.dim(0),
                           .a = type_of(x.dtype()),
                           .b = type_of(x.dtype()),
                           .out = DType::kF32,
                           .add = add};
  if (state_->run(
          problem,
          {.a = address(x), .b = address(d_y), .d = address(d_w.tensor()), .bias = nullptr})) {
    return;
  }
  plain_product(state_->device, transposed(d_y), factor(x), x.dim(0), add, d_w);
}

bool MatrixProducts::has_fp8(int64_t rows, int64_t columns, int64_t depth) const {
  constexpr int64_t kMultiple = 16;  // of every size (cuBLAS documentation, "FP8 data types")
  return state_->device.has_fp8() && rows % kMultiple == 0 && columns % kMultiple == 0 &&
         depth % kMultiple == 0;
}

bool MatrixProducts::multiply_fp8(const Fp8Factor& left, const Fp8Factor& right, const Tensor& bias,
                                  bool add, InOut c) {
  const auto inverse = [](const Fp8Factor& factor) -> const void* {
    return data<float>(factor.state) + kFp8Inverse;
  };
  const Problem problem = {.transpose_a = true,
                           .transpose_b = false,
                           .m = right.bytes.dim(0),
                           .n = left.bytes.dim(0),
                           .k = left.bytes.dim(1),
                           .a = type_of(right.format),
                           .b = type_of(left.format),
                           .out = c.tensor().dtype(),
                           .add = add,
                           .has_bias = !bias.empty()};
  return state_->run(problem, {.a = address(right.bytes),
                               .b = address(left.bytes),
                               .d = address(c.tensor()),
                               .bias = address(bias),
                               .a_inverse = inverse(right),
                               .b_inverse = inverse(left)});
}

}  // namespace bertha::cuda
