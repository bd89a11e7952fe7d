// Input: bytes as the index of a TensorFlow checkpoint. Expected: an Error, or tensors that are
// readable or damaged. Bytes without the footer of a table are used as the entries of a table with
// correct checksums, because a wrong checksum would stop the reader at once.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "io/archive/crc32c.h"
#include "io/byte_order.h"
#include "io/weights/tf_bundle.h"
#include "support/files.h"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bertha::test::TemporaryFolder folder;
  const std::string prefix = folder.file("x");
  bertha::test::write_all(prefix + ".data-00000-of-00001", "12345678");
  bertha::test::write_all(prefix + ".index", index_of({reinterpret_cast<const char*>(data), size}));
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
