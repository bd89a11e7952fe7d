#pragma once

// safetensors files: eight bytes of header length, a JSON header (name → dtype, shape,
// data_offsets), then the data without gaps (huggingface/safetensors, README "Format").

#include <map>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/weights/tensor_data.h"

namespace bertha::io {

class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t begin;  ///< offset in the data
    uint64_t end;
    std::string foreign_type = {};  ///< as TensorInfo::foreign_type
  };

  /// True for eight bytes of a header's length, followed by a JSON object. Blanks may precede the
  /// object: some writers pad the header in front.
  static bool matches(std::span<const std::byte> bytes);

  /// Opens the file and checks the whole header: lengths, element types, shapes against lengths,
  /// overlaps and gaps, duplicate names. Keys of an entry that the format does not have are passed
  /// over, as the reference implementation does. Throws Error.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /// Entries in the order of the data.
  const std::vector<Entry>& entries() const { return entries_; }
  /// The contents of "__metadata__".
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// A view that must not outlive this object.
  TensorData tensor(const Entry& entry) const;

 private:
  void check_layout();

  MappedFile file_;
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
  uint64_t data_offset_ = 0;
};

/// A tensor to write.
struct NamedSource {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  ByteSource source;
};

/// Writes the tensors in the given order, with {"format": "pt"} as transformers expects.
void write_safetensors(const std::string& path, const std::vector<NamedSource>& tensors);

}  // namespace bertha::io
