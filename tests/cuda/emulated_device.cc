// CudaDevice and its matrix products in host memory, beside the emulated kernels.

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/cuda_view.h"
#include "backend/cuda/fused_attention.h"
#include "backend/cuda/products.h"
#include "core/error.h"
#include "emulation.h"

namespace bertha::cuda {

std::function<void()>& emulation::on_drop_graphs() {
  static std::function<void()> hook;
  return hook;
}

std::string absence(int64_t) {
  return "";
}

std::unique_ptr<Device> open_device(int64_t) {
  return std::make_unique<CudaDevice>();
}

struct CudaDevice::State {
  std::map<std::string, std::unique_ptr<std::string>> tables;  ///< nodes stay where they are
  std::unique_ptr<MatrixProducts> products;
  std::unique_ptr<FusedAttention> attention;
};

CudaDevice::CudaDevice(int) : Device(Memory::kDevice), state_(std::make_unique<State>()) {
  state_->products = std::make_unique<MatrixProducts>(*this);
  state_->attention = FusedAttention::wanted(*this);
}
CudaDevice::~CudaDevice() {
  state_->attention.reset();
}

std::string CudaDevice::description() const {
  return "CUDA kernels run by the host";
}
bool CudaDevice::has_bf16() const {
  return true;
}

Buffer CudaDevice::allocate(int64_t size_bytes) {
  const auto size = static_cast<size_t>(align_up(std::max<int64_t>(size_bytes, 1)));
  auto* base = static_cast<std::byte*>(std::aligned_alloc(kAlignmentBytes, size));
  std::memset(base, 0, size);
  return Buffer(this, base, size_bytes);
}
void CudaDevice::free(std::byte* base, int64_t) noexcept {
  std::free(base);
}
void CudaDevice::write(Out to, const void* host) {
  std::memcpy(address(to.tensor()), host, static_cast<size_t>(to.tensor().size_bytes()));
}
void CudaDevice::read(const Tensor& from, void* host) {
  std::memcpy(host, address(from), static_cast<size_t>(from.size_bytes()));
}
void CudaDevice::copy(const Tensor& from, Out to) {
  write(to, address(from));
}
void CudaDevice::zero(Out to) {
  std::memset(address(to.tensor()), 0, static_cast<size_t>(to.tensor().size_bytes()));
}
void CudaDevice::run(const Segment&, BodyRef body) {
  body();
}
void CudaDevice::synchronize() {}
bool CudaDevice::has_fp8() const {
  return true;
}

Stream CudaDevice::stream() const {
  return nullptr;
}
Stream CudaDevice::fork() {
  return nullptr;
}
void CudaDevice::join() {}
void CudaDevice::drop_graphs() noexcept {
  if (const auto& dropped = emulation::on_drop_graphs()) dropped();
}
int64_t CudaDevice::multiprocessors() const {
  return 1;
}
MatrixProducts& CudaDevice::products() {
  return *state_->products;
}
FusedAttention* CudaDevice::fused_attention() {
  return state_->attention.get();
}
const std::byte* CudaDevice::table(std::span<const std::byte> bytes) {
  const std::string key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto& copy = state_->tables[key];
  if (!copy) copy = std::make_unique<std::string>(key);
  return reinterpret_cast<const std::byte*>(copy->data());
}

struct MatrixProducts::State {};
MatrixProducts::MatrixProducts(CudaDevice&) {}
MatrixProducts::~MatrixProducts() = default;

namespace {

float element(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kBF16 ? static_cast<float>(data<BFloat16>(t)[i]) : data<float>(t)[i];
}
void set_element(const Tensor& t, int64_t i, float value) {
  if (t.dtype() == DType::kBF16) {
    data<BFloat16>(Out(t))[i] = BFloat16(value);
  } else {
    data<float>(Out(t))[i] = value;
  }
}

}  // namespace

void MatrixProducts::forward(const Tensor& x, const Tensor& w, const Tensor& b, Out y) {
  BERTHA_CHECK(b.empty() || b.dtype() == x.dtype(), "bias is {}", name_of(b.dtype()));
  for (int64_t t = 0; t < x.dim(0); ++t) {
    for (int64_t n = 0; n < w.dim(0); ++n) {
      double sum = b.empty() ? 0 : static_cast<double>(element(b, n));
      for (int64_t k = 0; k < x.dim(1); ++k) {
        sum += static_cast<double>(element(x, t * x.dim(1) + k)) *
               static_cast<double>(element(w, n * x.dim(1) + k));
      }
      set_element(y.tensor(), t * w.dim(0) + n, static_cast<float>(sum));
    }
  }
}

void MatrixProducts::backward_data(const Tensor& d_y, const Tensor& w, bool add, Out d_x) {
  for (int64_t t = 0; t < d_y.dim(0); ++t) {
    for (int64_t k = 0; k < w.dim(1); ++k) {
      const int64_t at = t * w.dim(1) + k;
      double sum = add ? static_cast<double>(element(d_x.tensor(), at)) : 0;
      for (int64_t n = 0; n < w.dim(0); ++n) {
        sum += static_cast<double>(element(d_y, t * w.dim(0) + n)) *
               static_cast<double>(element(w, n * w.dim(1) + k));
      }
      set_element(d_x.tensor(), at, static_cast<float>(sum));
    }
  }
}

void MatrixProducts::backward_weights(const Tensor& d_y, const Tensor& x, bool add, InOut d_w) {
  for (int64_t n = 0; n < d_y.dim(1); ++n) {
    for (int64_t k = 0; k < x.dim(1); ++k) {
      double sum = 0;
      for (int64_t t = 0; t < x.dim(0); ++t) {
        sum += static_cast<double>(element(d_y, t * d_y.dim(1) + n)) *
               static_cast<double>(element(x, t * x.dim(1) + k));
      }
      float& result = data<float>(d_w)[n * x.dim(1) + k];
      result = (add ? result : 0.0F) + static_cast<float>(sum);
    }
  }
}

bool MatrixProducts::has_fp8(int64_t rows, int64_t columns, int64_t depth) const {
  return rows % 16 == 0 && columns % 16 == 0 && depth % 16 == 0;
}

bool MatrixProducts::multiply_fp8(const Fp8Factor& left, const Fp8Factor& right, const Tensor& bias,
                                  bool add, InOut c) {
  const auto value = [](const Fp8Factor& factor, int64_t i) {
    return static_cast<double>(fp8_value(data<uint8_t>(factor.bytes)[i], factor.format));
  };
  const double inverse = static_cast<double>(data<float>(left.state)[kFp8Inverse]) *
                         static_cast<double>(data<float>(right.state)[kFp8Inverse]);
  const int64_t depth = left.bytes.dim(1);
  for (int64_t m = 0; m < left.bytes.dim(0); ++m) {
    for (int64_t n = 0; n < right.bytes.dim(0); ++n) {
      const int64_t at = m * right.bytes.dim(0) + n;
      double sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        sum += value(left, m * depth + k) * value(right, n * depth + k);
      }
      sum *= inverse;
      if (!bias.empty()) sum += static_cast<double>(element(bias, n));
      if (add) sum += static_cast<double>(element(c.tensor(), at));
      set_element(c.tensor(), at, static_cast<float>(sum));
    }
  }
  return true;
}

}  // namespace bertha::cuda
