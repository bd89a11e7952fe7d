#pragma once

// Measured choices of algorithms, kept in a file. If each run measured again, two runs of one seed
// could choose different algorithms and differ in the last bits.

#include <map>
#include <optional>
#include <string>

namespace bertha::cuda {

/// The file is text, one line a choice: a key, a space, the index in the library's list of
/// candidates. Keys name the GPU, the library's version and the product. One process at a time
/// measures and writes: the first that opens the file. Ranks that share it take the choices that it
/// had, and for other products the library's first candidate.
class ProductChoices {
 public:
  /// With an empty `path`, no choice is known and none is kept. Throws Error naming the line for a
  /// file that is not of this form, and for a file that cannot be written; one that does not exist
  /// is made.
  explicit ProductChoices(const std::string& path);
  ProductChoices(const ProductChoices&) = delete;
  ProductChoices& operator=(const ProductChoices&) = delete;
  ~ProductChoices();

  /// Whether this process may measure and add().
  bool measures() const { return measures_; }
  std::optional<int> find(const std::string& key) const;
  /// Remembers and appends to the file. Throws Error when it cannot be written.
  void add(const std::string& key, int choice);

 private:
  void read();

  std::string path_;
  int file_ = -1;
  bool measures_ = false;
  std::map<std::string, int> choices_;
};

}  // namespace bertha::cuda
