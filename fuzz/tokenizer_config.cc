// Input: a tokenizer_config.json, a special_tokens_map.json, an added_tokens.json and a text, with
// a NUL between them; the first byte says whether a tokenizer.json lies beside them. Expected: an
// Error, or ids within the vocabulary, segments of two texts at most, and offsets within the text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"
#include "support/files.h"
#include "text/model_input.h"
#include "text/tokenizer_file.h"

namespace {

using namespace bertha;

constexpr std::string_view kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nthe\n";
constexpr std::string_view kTokenizer =
    R"({"version": "1.0", "added_tokens": [{"id": 10, "content": "[NEW]", "special": true}],
        "normalizer": {"type": "BertNormalizer", "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5,
                            "b": 6, "##a": 7, "##b": 8, "the": 9}}})";

/// Removes the bytes up to the next NUL.
std::string_view take_part(std::string_view& rest) {
  const std::string_view part = rest.substr(0, rest.find('\0'));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

void write_or_remove(const std::filesystem::path& path, std::string_view contents) {
  std::filesystem::remove(path);
  if (!contents.empty()) test::write_all(path, contents);
}

void encode(const text::TokenizerFile& file, std::string_view text) {
  const text::Tokenizer tokenizer(file.vocabulary, file.options(true));
  const text::ModelInput input = text::model_input(tokenizer, text, text, 64);
  for (size_t i = 0; i < input.ids.size(); ++i) {
    const bool fits = input.ids[i] >= 0 && input.ids[i] < file.vocabulary.size() &&
                      input.segments[i] >= 0 && input.offsets[i].begin <= input.offsets[i].end &&
                      input.offsets[i].end <= static_cast<int64_t>(text.size());
    if (!fits) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const test::TemporaryFolder folder;
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  write_or_remove(folder.path() / "vocab.txt", data[0] % 3 != 1 ? kVocabulary : "");
  write_or_remove(folder.path() / "tokenizer.json", data[0] % 3 != 0 ? kTokenizer : "");
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    write_or_remove(folder.path() / name, take_part(rest));
  }
  try {
    encode(text::load_tokenizer(folder.path().string()), rest);
  } catch (const Error&) {
  }
  return 0;
}
