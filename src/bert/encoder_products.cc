#include "bert/encoder_products.h"

#include "core/error.h"

namespace bertha::bert {
namespace {

/// The parameters of each product, in the order of the channels.
std::vector<std::vector<int>> products_of(const ParameterTable& table) {
  std::vector<std::vector<int>> products;
  for (const LayerIndices& i : table.indices().layers) {
    products.push_back({i.query_weight, i.key_weight, i.value_weight});
    products.push_back({i.output_weight});
    products.push_back({i.intermediate_weight});
    products.push_back({i.down_weight});
  }
  return products;
}

}  // namespace

std::vector<int> encoder_matrices(const ParameterTable& table) {
  std::vector<int> matrices;
  for (const std::vector<int>& product : products_of(table)) {
    matrices.insert(matrices.end(), product.begin(), product.end());
  }
  return matrices;
}

EncoderProducts::EncoderProducts(Device& device, const ParameterTable& table)
    : device_(device), table_(table), places_(table.parameters().size()) {
  for (const std::vector<int>& product : products_of(table)) {
    Size size = {.channels = 0, .inputs = table[product.front()].shape[1]};
    for (const int index : product) {
      places_[static_cast<size_t>(index)] = {.product = static_cast<int>(sizes_.size()),
                                             .first_channel = size.channels};
      size.channels += table[index].shape[0];
    }
    sizes_.push_back(size);
  }
}

const EncoderProducts::Place& EncoderProducts::place(int index) const {
  BERTHA_CHECK(holds(index), "{}", table_[index].name);
  return places_[static_cast<size_t>(index)];
}

size_t EncoderProducts::product_of(int index) const {
  BERTHA_CHECK(place(index).first_channel == 0, "{}", table_[index].name);
  return static_cast<size_t>(place(index).product);
}

void EncoderProducts::allocate(int64_t size_bytes, const std::vector<Tensor*>& views) {
  buffer_ = device_.allocate(size_bytes);
  for (Tensor* const view : views) {
    *view = Tensor(&buffer_, view->offset_bytes(), view->dtype(), view->shape());
  }
}

Tensor EncoderProducts::flat() const {
  return Tensor(&buffer_, 0, DType::kF32, {buffer_.size_bytes() / size_of(DType::kF32)});
}

}  // namespace bertha::bert
