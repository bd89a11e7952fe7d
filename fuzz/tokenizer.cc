// Input: bytes as text. Expected: equal ids with and without offsets, and ascending offsets within
// the text, under both sets of rules, cased and uncased.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace {

using namespace bertha;

void check(std::string_view text, const text::Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  std::vector<int32_t> ids_again;
  std::vector<text::TokenOffset> offsets;
  tokenizer.encode(text, ids);
  tokenizer.encode(text, ids_again, offsets);
  if (ids != ids_again || offsets.size() != ids.size()) std::abort();
  int64_t begin = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= tokenizer.vocabulary().size()) std::abort();
    // An invalid byte counts as one character, so there are never more characters than bytes.
    if (offsets[i].begin < begin || offsets[i].end < offsets[i].begin ||
        offsets[i].end > static_cast<int64_t>(text.size())) {
      std::abort();
    }
    begin = offsets[i].begin;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const text::Vocabulary vocabulary = text::Vocabulary::parse(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nthe\n##e\ne\nE\n!"
      "\n\xe4\xb8\xad\n\xcf\x83\n");
  static const text::Tokenizer tokenizers[] = {
      text::Tokenizer(vocabulary, {true, text::TokenRules::kRecipe}),
      text::Tokenizer(vocabulary, {true, text::TokenRules::kHf}),
      text::Tokenizer(vocabulary, {false, text::TokenRules::kRecipe, 5}),
      text::Tokenizer(vocabulary, {false, text::TokenRules::kHf, 5})};
  for (const text::Tokenizer& tokenizer : tokenizers) {
    check({reinterpret_cast<const char*>(data), size}, tokenizer);
  }
  return 0;
}
