#pragma once

// The labels of a classification or regression of texts.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/classification/labelled_texts.h"

namespace bertha::tasks {

/// A finite number in decimal or exponent form; nothing for any other text.
std::optional<double> number_of(const std::string& text);

/// True where every label is a number and one of them has a fraction or a decimal point ("5.000"):
/// transformers' run_glue.py treats such a column of floats as regression, and integers as classes.
bool suggests_regression(std::span<const LabelledText> rows);

/// True where a row has several labels, or may have them: a list in JSON, or columns of 0 and 1.
bool suggests_several_labels(std::span<const LabelledText> rows);

/// The names of the classes, or no names for regression.
class LabelSet {
 public:
  LabelSet() = default;  ///< regression
  /// Throws Error that names `source`, the file of the names, for less than `least` and more than
  /// 1000 of them.
  LabelSet(std::vector<std::string> names, const std::string& source, int64_t least = 2);
  /// The distinct labels of the rows, sorted.
  static LabelSet of(const LabelledTexts& file);
  /// The distinct labels of rows that have several, sorted, or the file's columns of 0 and 1 in
  /// their order.
  static LabelSet of_several(const LabelledTexts& file);

  bool is_regression() const { return names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  /// Outputs of the model: one for regression.
  int64_t outputs() const { return is_regression() ? 1 : std::ssize(names_); }
  /// The class with this name or, where all names are numbers, with this number ("5.0" is "5.000");
  /// -1 when there is none.
  int32_t class_of(const std::string& label) const;
  /// The classes as numbers; empty when a name is not a number.
  const std::vector<double>& numbers() const { return numbers_; }

 private:
  std::vector<std::string> names_;
  std::vector<double> numbers_;
};

}  // namespace bertha::tasks
