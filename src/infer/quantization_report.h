#pragma once

// What rounding to 8 bits does to each product of an encoder: to its weight, and to its result on
// some texts, when all before it is exact.

#include <span>
#include <string>
#include <vector>

#include "infer/model.h"

namespace bertha::infer {

struct ProductError {
  std::string name;   ///< as the parameter table names the weight; query, key and value as one
  double weight = 0;  ///< norm of the difference over that of the weight
  double result = 0;  ///< the same of x wᵀ, over all tokens of the texts
};

/// Texts for quantization_errors() where the user gives none.
std::vector<std::string> quantization_texts();

/// The error of each product, layer by layer. The model is open in fp32. Throws Error for a model
/// that int8 does not fit.
std::vector<ProductError> quantization_errors(const Model& model,
                                              std::span<const std::string> texts);

}  // namespace bertha::infer
