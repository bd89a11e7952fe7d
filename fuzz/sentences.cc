// Input: bytes as text. Expected: sentences in order, none blank, that together hold every
// character.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "corpus/sentence_splitter.h"

namespace {

std::ptrdiff_t count_blanks(std::string_view text) {
  return std::ranges::count_if(
      text, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const char* at = text.data();
  std::ptrdiff_t letters = 0;
  for (const std::string_view sentence : bertha::corpus::split_sentences(text)) {
    const std::ptrdiff_t here = std::ssize(sentence) - count_blanks(sentence);
    if (here == 0 || sentence.data() < at) std::abort();
    letters += here;
    at = sentence.data() + sentence.size();
  }
  if (letters != std::ssize(text) - count_blanks(text)) std::abort();
  return 0;
}
