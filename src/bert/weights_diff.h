#pragma once

// What differs between two weight files of any formats, tensor by tensor. Tensors are paired by the
// names and shapes that the parameter table gives them; a tensor that is no parameter keeps its
// own.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bertha::bert {

/// Two tensors of one name that are not equal.
struct TensorDifference {
  std::string name;
  std::vector<int64_t> left_shape;
  std::vector<int64_t> right_shape;
  /// Element types, where one of them is not converted ("F8_E4M3"): nothing was compared.
  std::optional<std::pair<std::string, std::string>> types;
  // Of tensors with one shape:
  int64_t differing = 0;           ///< elements; NaN equals NaN
  int64_t elements = 0;            ///< of either tensor
  std::optional<double> largest;   ///< difference; absent where it is not finite
  std::optional<double> relative;  ///< norm of the difference over that of the right tensor

  /// Whether the elements were compared: the shapes agree, but for the padding of a vocabulary.
  bool comparable() const { return elements > 0; }
};

struct WeightsDiff {
  int64_t equal = 0;  ///< tensors
  std::vector<std::string> only_left;
  std::vector<std::string> only_right;
  std::vector<TensorDifference> differing;

  bool same() const { return only_left.empty() && only_right.empty() && differing.empty(); }
};

/// Reads both files (io::open_weights). Rows of zeros that fill a vocabulary up to a multiple of 8
/// do not count as a difference.
WeightsDiff diff_weights(const std::string& left, const std::string& right);

}  // namespace bertha::bert
