// Input: a tokenizer.json, a NUL, and a text. Expected: an Error, or ids within the vocabulary,
// offsets within the text, and the same ids after writing the tokenizer and reading it again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "support/files.h"
#include "text/model_input.h"
#include "text/tokenizer_export.h"
#include "text/tokenizer_file.h"

namespace {

using namespace bertha;

text::TokenizerFile load(std::string_view contents) {
  static const test::TemporaryFolder folder;
  const std::string path = folder.file("tokenizer.json");
  test::write_all(path, contents);
  return text::load_tokenizer(path);
}

text::ModelInput run(const text::TokenizerFile& file, std::string_view text) {
  const text::Tokenizer tokenizer(file.vocabulary, file.options(true));
  const text::ModelInput input = text::model_input(tokenizer, text, text, 64);
  for (size_t i = 0; i < input.ids.size(); ++i) {
    const bool id_fits = input.ids[i] >= 0 && input.ids[i] < file.vocabulary.size();
    const bool offset_fits = input.offsets[i].begin <= input.offsets[i].end &&
                             input.offsets[i].end <= static_cast<int64_t>(text.size());
    if (!id_fits || !offset_fits) std::abort();
  }
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(std::min(end + 1, input.size()));
  try {
    const text::TokenizerFile file = load(input.substr(0, end));
    const text::ModelInput first = run(file, text);
    const text::TokenizerFile again =
        load(text::tokenizer_json(file.vocabulary, file.options(true)));
    if (run(again, text).ids != first.ids) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
