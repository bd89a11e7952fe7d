// Input: the files of a sentence-transformers folder with a NUL between them: modules.json, those
// of the encoder and the prompts, and the configs of three modules beside weights that are there.
// Expected: an Error, or modules that a copy of the folder gives again.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"
#include "infer/sentence_modules.h"
#include "io/weights/safetensors.h"
#include "support/files.h"

namespace {

using namespace bertha;

constexpr std::array kFiles = {"modules.json",          "sentence_bert_config.json",
                               "1_Pooling/config.json", "config_sentence_transformers.json",
                               "2_Dense/config.json",   "3_LayerNorm/config.json"};

/// Weights of the shapes [2, 2] and [2], as safetensors.
std::string weights_of(std::string_view header, size_t floats) {
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  return bytes + std::string(header) + std::string(4 * floats, '\0');
}

void write_weights(const std::filesystem::path& folder) {
  test::write_all(
      folder / "2_Dense/model.safetensors",
      weights_of(R"({"linear.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})", 4));
  test::write_all(folder / "3_LayerNorm/model.safetensors",
                  weights_of(R"({"norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("norm.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
                             4));
}

bool is_same(const infer::SentenceModules& a, const infer::SentenceModules& b) {
  return a.pooling == b.pooling && a.include_prompt == b.include_prompt &&
         a.layers.size() == b.layers.size() && a.max_tokens == b.max_tokens &&
         a.kept_elements == b.kept_elements && a.lower_case == b.lower_case &&
         a.prompts == b.prompts && a.default_prompt_name == b.default_prompt_name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const test::TemporaryFolder folder;
  static const bool written = (write_weights(folder.path() / "from"), true);
  if (!written) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (const char* name : kFiles) {
    const std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::filesystem::path path = folder.path() / "from" / name;
    std::filesystem::remove(path);
    if (!part.empty()) test::write_all(path, part);
  }
  const std::string from = folder.file("from");
  const std::string to = folder.file("to");
  try {
    const auto modules = infer::read_sentence_modules(from);
    if (!modules) return 0;
    std::filesystem::remove_all(to);
    std::filesystem::create_directory(to);
    infer::copy_sentence_modules(from, to);
    const auto copied = infer::read_sentence_modules(to);
    if (!copied || !is_same(*modules, *copied)) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
