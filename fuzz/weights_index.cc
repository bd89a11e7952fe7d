// Input: bytes as the index of weights in several files, of which two are there. Expected: an
// Error, or the tensors of these files, which can all be read.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"
#include "io/weights/tensor_source.h"
#include "support/files.h"

namespace {

using namespace bertha;

std::string one_tensor(const std::string& name) {
  const std::string header =
      R"({")" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  return bytes + header + "abcd";
}

bool write_weights(const test::TemporaryFolder& folder) {
  test::write_all(folder.file("1.safetensors"), one_tensor("a"));
  test::write_all(folder.file("2.safetensors"), one_tensor("b"));
  std::filesystem::create_directory(folder.file("3"));
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const test::TemporaryFolder folder;
  static const bool written = write_weights(folder);
  if (!written) return 0;
  const std::string path = folder.file("model.safetensors.index.json");
  test::write_all(path, {reinterpret_cast<const char*>(data), size});
  try {
    const auto weights = io::open_weights(path);
    if (weights->tensors().empty()) std::abort();
    for (const io::TensorInfo& info : weights->tensors()) {
      if (weights->read(info.name).bytes.size() != 4) std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
