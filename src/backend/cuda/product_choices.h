#pragma once

// Measured choices of algorithms, kept in a file. If each run measured again, two runs of one seed
// could choose different algorithms and differ in the last bits.

#include <map>
#include <optional>
#include <string>

namespace bertha::cuda {

/// The file is text, one line a choice: a key, a space, the index in the library's list of
/// candidates. Keys name the GPU, the library's version and the product.
class ProductChoices {
 public:
  /// With an empty `path`, no choice is known and none is kept. Throws Error naming the line for a
  /// file that is not of this form; a file that does not exist is empty.
  explicit ProductChoices(std::string path);

  bool enabled() const { return !path_.empty(); }
  std::optional<int> find(const std::string& key) const;
  /// Remembers and appends to the file. Throws Error when it cannot be written.
  void add(const std::string& key, int choice);

 private:
  std::string path_;
  std::map<std::string, int> choices_;
};

}  // namespace bertha::cuda
