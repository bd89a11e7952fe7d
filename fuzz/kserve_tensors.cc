// Requests of KServe with tensors as bytes behind their JSON. The first byte chooses: a body whose
// JSON the input is too (its second byte says how long), or one whose JSON is made here, so that
// the tensors are reached: then three bytes give a shape, a further extent and the size that the
// JSON states. Expected: an error of the request, or as many texts of UTF-8 as the shape has
// elements.

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/utf8.h"
#include "serve/routes/kserve_tensors.h"

namespace {

using namespace bertha::serve;

/// The texts with their lengths before them.
std::string packed(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += text;
  }
  return bytes;
}

void check(const KserveRequest& request) {
  for (size_t i = 0; i < request.tensors.size(); ++i) {
    int64_t elements = 1;
    for (const int64_t extent : request.body.inputs[i].shape) elements *= extent;
    if (std::ssize(request.tensors[i].texts) != elements) std::abort();
    for (const std::string& text : request.tensors[i].texts) {
      if (bertha::find_invalid_utf8(text) >= 0) std::abort();
    }
  }
}

void read_tensors(std::string_view input) {
  const auto number = [&](size_t at) { return static_cast<int>(static_cast<uint8_t>(input[at])); };
  const std::string_view tensor = input.substr(3);
  const int64_t stated = std::ssize(tensor) + number(2) - 128;
  const std::string json =
      fmt::format(R"({{"inputs":[{{"name":"text","shape":[{},{}],"datatype":"BYTES",)"
                  R"("parameters":{{"binary_data_size":{}}}}}]}})",
                  number(0), number(1), stated);
  KserveRequest request =
      read_kserve_request(json + std::string(tensor), std::to_string(json.size()));
  check(request);
  if (packed(request.texts("text")) != tensor) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] % 2 == 0) {
      read_tensors(input);
    } else {
      const std::string length = data[1] == 0 ? "" : std::to_string(data[1]);
      check(read_kserve_request(input.substr(1), length));
    }
  } catch (const JsonError&) {
  } catch (const FieldError&) {
  }
  return 0;
}
