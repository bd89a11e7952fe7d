#include "bert/weights_diff.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "bert/weights.h"
#include "io/weights/tensor_source.h"
#include "io/weights/tensor_statistics.h"

namespace bertha::bert {
namespace {

struct Entry {
  const io::TensorInfo* info = nullptr;
  bool transposed = false;

  std::vector<int64_t> shape() const {
    std::vector<int64_t> shape = info->shape;
    if (transposed) std::swap(shape[0], shape[1]);
    return shape;
  }
};

/// One of the two files, with the names and shapes of the parameter table.
class Side {
 public:
  explicit Side(const std::string& path) : source_(io::open_weights(path)) {
    const FileNames names(*source_);
    for (const io::TensorInfo& info : source_->tensors()) {
      const auto mapped = names.map(info.name).value_or(MappedName{info.name, false});
      const Entry entry = {&info, mapped.transposed && info.shape.size() == 2};
      by_name_.emplace(mapped.name, entry);
      if (info.name.ends_with("decoder.bias")) by_name_.insert_or_assign(mapped.name, entry);
    }
  }

  const std::map<std::string, Entry>& entries() const { return by_name_; }
  std::vector<float> values(const Entry& entry) const {
    std::vector<float> stored = io::read_values(*source_, *entry.info);
    if (!entry.transposed) return stored;
    std::vector<float> transposed(stored.size());
    transpose(stored, entry.info->shape[1], entry.info->shape[0], transposed.data());
    return transposed;
  }

 private:
  std::unique_ptr<io::TensorSource> source_;
  std::map<std::string, Entry> by_name_;
};

std::optional<double> if_finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// Compares two tensors of one size.
void compare_values(const std::vector<float>& a, const std::vector<float>& b,
                    TensorDifference& difference) {
  double largest = 0;
  double square = 0;
  double reference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto left = static_cast<double>(a[i]);
    const auto right = static_cast<double>(b[i]);
    reference += right * right;
    if (left == right || (std::isnan(left) && std::isnan(right))) continue;
    ++difference.differing;
    const double off = std::abs(left - right);
    if (std::isnan(off) || off > largest) largest = off;
    square += off * off;
  }
  difference.elements = std::ssize(a);
  difference.largest = if_finite(largest);
  difference.relative = if_finite(std::sqrt(reference > 0 ? square / reference : square));
}

/// Removes the rows that one of two vocabularies has more than the other, where they are nothing
/// but the zeros that fill the recipe's vocabulary up to a multiple of 8. Returns false, and
/// changes nothing, for any other two tensors.
bool remove_padding(const TensorDifference& shapes, std::vector<float>& a, std::vector<float>& b) {
  const std::vector<int64_t>& left = shapes.left_shape;
  const std::vector<int64_t>& right = shapes.right_shape;
  const bool vocabulary = shapes.name == "bert.embeddings.word_embeddings.weight" ||
                          shapes.name == "cls.predictions.bias";
  if (!vocabulary || left.size() != right.size() || left.empty()) return false;
  if (!std::equal(left.begin() + 1, left.end(), right.begin() + 1)) return false;
  std::vector<float>& longer = a.size() > b.size() ? a : b;
  const size_t size = std::min(a.size(), b.size());
  const bool padded = std::abs(left[0] - right[0]) < 8 &&
                      std::all_of(longer.begin() + static_cast<std::ptrdiff_t>(size), longer.end(),
                                  [](float value) { return value == 0; });
  if (padded) longer.resize(size);
  return padded;
}

/// Nothing where the tensors are equal.
std::optional<TensorDifference> compare(const std::string& name, const Side& left, const Entry& a,
                                        const Side& right, const Entry& b) {
  TensorDifference difference;
  difference.name = name;
  difference.left_shape = a.shape();
  difference.right_shape = b.shape();
  if (!a.info->foreign_type.empty() || !b.info->foreign_type.empty()) {
    difference.types = {a.info->type_name(), b.info->type_name()};
    return difference;
  }
  std::vector<float> left_values = left.values(a);
  std::vector<float> right_values = right.values(b);
  if (difference.left_shape != difference.right_shape &&
      !remove_padding(difference, left_values, right_values)) {
    return difference;
  }
  compare_values(left_values, right_values, difference);
  return difference.differing > 0 ? std::optional(difference) : std::nullopt;
}

}  // namespace

WeightsDiff diff_weights(const std::string& left, const std::string& right) {
  const Side a(left);
  const Side b(right);
  WeightsDiff diff;
  for (const auto& [name, entry] : a.entries()) {
    const auto other = b.entries().find(name);
    if (other == b.entries().end()) {
      diff.only_left.push_back(name);
    } else if (auto found = compare(name, a, entry, b, other->second)) {
      diff.differing.push_back(std::move(*found));
    } else {
      ++diff.equal;
    }
  }
  for (const auto& [name, entry] : b.entries()) {
    if (!a.entries().contains(name)) diff.only_right.push_back(name);
  }
  return diff;
}

}  // namespace bertha::bert
