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
#include "backend/cuda/product_choices.h"

namespace bertha::cuda {
namespace {

constexpr int64_t kWorkspaceBytes = int64_t{64} << 20;
constexpr int kCandidates = 8;
constexpr int kRounds = 5;  ///< timed runs of a candidate

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// D [m,n] = op(A) [m,k] op(B) [k,n] (+ D), column-major.
struct Problem {
  bool transpose_a = false;
  bool transpose_b = false;
  int64_t m = 0, n = 0, k = 0;
  DType in = DType::kF32;
  DType out = DType::kF32;
  bool add = false;
  bool has_bias = false;
  DType bias = DType::kF32;
  uint32_t alignment = 16;  ///< of all three addresses, in bytes

  auto key() const {
    return std::tuple(transpose_a, transpose_b, m, n, k, in, out, add, has_bias, bias, alignment);
  }
  bool operator<(const Problem& other) const { return key() < other.key(); }
  std::string to_string() const {
    return fmt::format("{}{}:{}x{}x{}:{}>{}{}{}:{}", transpose_a ? 'T' : 'N',
                       transpose_b ? 'T' : 'N', m, n, k, name_of(in), name_of(out), add ? "+" : "",
                       has_bias ? std::string("b") + name_of(bias) : "", alignment);
  }
};

struct Operands {
  const void* a;
  const void* b;
  void* d;
  const void* bias;
};

/// The largest power of 2 up to 256 that divides every address.
uint32_t alignment_of(std::initializer_list<const void*> addresses) {
  uintptr_t bits = 256;
  for (const void* address : addresses) bits |= reinterpret_cast<uintptr_t>(address);
  return 1U << std::countr_zero(bits);
}

OwnedLayout make_layout(DType dtype, int64_t rows, int64_t columns) {
  return make<OwnedLayout>("cublasLtMatrixLayoutCreate", cublasLtMatrixLayoutCreate, type_of(dtype),
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
    set(product.get(), CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(problem.bias));
  }
  return product;
}

/// The properties of a product that do not depend on the addresses of its operands.
struct Plan {
  explicit Plan(const Problem& problem)
      : product(make_product(problem)),
        a(make_layout(problem.in, problem.transpose_a ? problem.k : problem.m,
                      problem.transpose_a ? problem.m : problem.k)),
        b(make_layout(problem.in, problem.transpose_b ? problem.n : problem.k,
                      problem.transpose_b ? problem.k : problem.n)),
        d(make_layout(problem.out, problem.m, problem.n)) {}

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
  /// Finds or makes the plan, then multiplies.
  void run(const Problem& problem, const Operands& operands);

  CudaDevice& device;
  OwnedLt library;
  ProductChoices choices;
  Buffer workspace;
  std::map<Problem, Plan> plans;
};

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
  // The library proposes no algorithm for a null bias. Only multiply() uses the address.
  if (problem.has_bias) {
    set(plan.product.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER,
        static_cast<const void*>(workspace.base()));
  }
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      library.get(), plan.product.get(), plan.a.get(), plan.b.get(), plan.d.get(), plan.d.get(),
      preference.get(), kCandidates, results.data(), &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return;
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  for (int i = 0; i < count; ++i) {
    const cublasLtMatmulHeuristicResult_t& result = results[static_cast<size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) plan.candidates.push_back(result.algo);
  }
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
  const Buffer result = device.allocate(problem.m * problem.n * size_of(problem.out));
  Operands trial = operands;
  trial.d = result.base();
  double best = std::numeric_limits<double>::infinity();
  int choice = 0;
  for (size_t i = 0; i < plan.candidates.size(); ++i) {
    plan.choice = i;
    const double time = milliseconds(problem, trial, plan);
    if (time >= best) continue;
    best = time;
    choice = static_cast<int>(i);
  }
  return choice;
}

void MatrixProducts::State::choose(const Problem& problem, const Operands& operands, Plan& plan) {
  plan.chosen = true;
  if (plan.candidates.empty()) fail("cuBLASLt has no product {}", problem.to_string());
  if (!choices.enabled()) return;
  const std::string key = fmt::format("{};cublasLt {};{}", device.description(),
                                      cublasLtGetVersion(), problem.to_string());
  std::optional<int> known = choices.find(key);
  if (!known) {
    known = fastest(problem, operands, plan);
    choices.add(key, *known);
  }
  plan.choice = std::min(static_cast<size_t>(*known), plan.candidates.size() - 1);
}

void MatrixProducts::State::run(const Problem& problem, const Operands& operands) {
  Plan& plan = find(problem);
  if (!plan.chosen) choose(problem, operands, plan);
  multiply(problem, operands, plan);
}

MatrixProducts::MatrixProducts(CudaDevice& device) : state_(std::make_unique<State>(device)) {}
MatrixProducts::~MatrixProducts() = default;

namespace {

Problem forward_problem(const Tensor& x, const Tensor& w) {
  return {.transpose_a = true,
          .transpose_b = false,
          .m = w.dim(0),
          .n = x.dim(0),
          .k = x.dim(1),
          .in = x.dtype(),
          .out = x.dtype()};
}

}  // namespace

DType MatrixProducts::bias_dtype(const Tensor& x, const Tensor& w) {
  if (x.dtype() == DType::kF32) return DType::kF32;
  Problem problem = forward_problem(x, w);
  problem.has_bias = true;
  problem.bias = DType::kF32;
  problem.alignment = alignment_of({address(x), address(w)});
  return state_->find(problem).candidates.empty() ? x.dtype() : DType::kF32;
}

void MatrixProducts::forward(const Tensor& x, const Tensor& w, const Tensor& b, Out y) {
  const Operands operands = {
      .a = address(w), .b = address(x), .d = address(y.tensor()), .bias = address(b)};
  Problem problem = forward_problem(x, w);
  problem.has_bias = !b.empty();
  problem.bias = b.empty() ? DType::kF32 : b.dtype();
  problem.alignment = alignment_of({operands.a, operands.b, operands.d});
  state_->run(problem, operands);
}

void MatrixProducts::backward_data(const Tensor& d_y, const Tensor& w, bool add, Out d_x) {
  const Operands operands = {
      .a = address(w), .b = address(d_y), .d = address(d_x.tensor()), .bias = nullptr};
  state_->run({.transpose_a = false,
               .transpose_b = false,
               .m = w.dim(1),
               .n = d_y.dim(0),
               .k = w.dim(0),
               .in = d_y.dtype(),
               .out = d_x.tensor().dtype(),
               .add = add,
               .alignment = alignment_of({operands.a, operands.b, operands.d})},
              operands);
}

void MatrixProducts::backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w) {
  const Operands operands = {
      .a = address(x), .b = address(d_y), .d = address(d_w.tensor()), .bias = nullptr};
  state_->run({.transpose_a = false,
               .transpose_b = true,
               .m = x.dim(1),
               .n = d_y.dim(1),
               .k = x.dim(0),
               .in = x.dtype(),
               .out = DType::kF32,
               .add = true,
               .alignment = alignment_of({operands.a, operands.b, operands.d})},
              operands);
}

}  // namespace bertha::cuda
