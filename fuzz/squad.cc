// Input: bytes as a SQuAD file. Expected: an Error, or features whose tokens can all be read.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "tasks/squad/squad_features.h"

namespace {

using namespace bertha;

void read_features(const tasks::SquadFile& file, const text::Tokenizer& tokenizer, bool training) {
  try {
    const tasks::SquadFeatures features(
        file, tokenizer,
        {.max_seq_length = 24, .doc_stride = 5, .max_query_length = 8, .training = training});
    for (const tasks::SquadWindow& window : features.windows()) {
      RaggedBatch batch;
      batch.clear();
      features.append(window, batch);
      if (batch.tokens() != features.length_of(window)) std::abort();
      if (window.start_position >= batch.tokens() || window.end_position >= batch.tokens()) {
        std::abort();
      }
      features.is_max_context(window, features.passage_offset(window));
    }
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const text::Vocabulary vocabulary =
      text::Vocabulary::parse("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nthe\n");
  static const text::Tokenizer tokenizer(vocabulary, {.rules = text::TokenRules::kRecipe});
  try {
    const tasks::SquadFile file =
        tasks::parse_squad({reinterpret_cast<const char*>(data), size}, "input");
    read_features(file, tokenizer, false);
    read_features(file, tokenizer, true);
  } catch (const Error&) {
  }
  return 0;
}
