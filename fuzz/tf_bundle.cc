// Input: bytes as the index of a TensorFlow checkpoint. Expected: an Error, or tensors that are
// readable or damaged. Bytes without the footer of a table are used as the entries of a table with
// correct checksums, because a wrong checksum would stop the reader at once.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "io/archive/crc32c.h"
#include "io/byte_order.h"
#include "io/weights/tf_bundle.h"

namespace {

using bertha::io::store;

constexpr uint64_t kTableMagic = 0xdb4775248b80fb57U;
constexpr std::string_view kRestarts("\0\0\0\0\1\0\0\0", 8);

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
  return out + static_cast<char>(value);
}

/// Appends a block and returns its handle.
std::string append_block(std::string& file, std::string block) {
  const std::string handle = varint(file.size()) + varint(block.size());
  block += '\0';
  file += block;
  store(file, bertha::io::masked_crc32c(bertha::io::crc32c(block)));
  return handle;
}

std::string index_of(std::string_view input) {
  std::string magic;
  store(magic, kTableMagic);
  if (input.ends_with(magic)) return std::string(input);
  std::string file;
  const std::string rows = append_block(file, std::string(input) + std::string(kRestarts));
  const std::string entry = varint(0) + varint(1) + varint(rows.size()) + "z" + rows;
  std::string footer = rows + append_block(file, entry + std::string(kRestarts));
  footer.resize(40, '\0');
  return file + footer + magic;
}

/// Creates a folder with the data of a bundle "x".
std::string make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "fuzz-tf-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  std::ofstream(name + "/x.data-00000-of-00001", std::ios::binary) << "12345678";
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string prefix = make_folder() + "/x";
  std::ofstream(prefix + ".index", std::ios::binary)
      << index_of({reinterpret_cast<const char*>(data), size});
  try {
    const bertha::io::TfBundle bundle(prefix);
    for (const bertha::io::TfBundle::Entry& entry : bundle.entries()) {
      try {
        if (bundle.tensor(entry).bytes.size() != entry.size_bytes) std::abort();
      } catch (const bertha::Error&) {
      }
    }
  } catch (const bertha::Error&) {
  }
  return 0;
}
