#include "tasks/tagging/tag_windows.h"

#include <algorithm>

#include "core/error.h"
#include "text/model_input.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {

WordTokens tokens_of_words(std::span<const std::string> words, const text::Tokenizer& tokenizer) {
  WordTokens tokens;
  for (const std::string& word : words) {
    tokenizer.encode(word, tokens.ids);
    tokens.word_start.push_back(static_cast<int32_t>(tokens.ids.size()));
  }
  return tokens;
}

WordTokens tokens_of_text(std::string_view text, const text::Tokenizer& tokenizer,
                          std::vector<text::TokenOffset>& places) {
  WordTokens tokens;
  std::vector<text::TokenOffset> offsets;
  tokenizer.encode(text, tokens.ids, offsets);
  const std::string& prefix = tokenizer.settings().continuing_prefix;
  const auto continues = [&](size_t i) {
    return !prefix.empty() && tokenizer.vocabulary().piece(tokens.ids[i]).starts_with(prefix) &&
           offsets[i].begin == offsets[i - 1].end;
  };
  tokens.word_start.clear();
  places.clear();
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    if (i > 0 && continues(i)) {
      places.back().end = offsets[i].end;
    } else {
      tokens.word_start.push_back(static_cast<int32_t>(i));
      places.push_back(offsets[i]);
    }
  }
  tokens.word_start.push_back(static_cast<int32_t>(tokens.ids.size()));
  return tokens;
}

TagWindows::TagWindows(const text::Tokenizer& tokenizer, int64_t max_tokens)
    : tokenizer_(tokenizer) {
  const text::SequenceTemplate& sequence = tokenizer.settings().sequence;
  room_ = static_cast<int32_t>(max_tokens - sequence.special_tokens(false));
  if (room_ < 1) fail("the tokenizer's special tokens leave no room in {} tokens", max_tokens);
  for (const text::TemplatePart& part : sequence.single) {
    if (part.kind == text::TemplatePart::Kind::kFirst) break;
    leading_ += static_cast<int32_t>(part.ids.size());
  }
}

int32_t TagWindows::kept(const WordTokens& sentence, int64_t word) const {
  const auto at = static_cast<size_t>(word);
  return std::min(room_, sentence.word_start[at + 1] - sentence.word_start[at]);
}

void TagWindows::cut(const WordTokens& sentence, int32_t index,
                     std::vector<TagWindow>& windows) const {
  const auto words = static_cast<int32_t>(sentence.words());
  TagWindow window = {.sentence = index};
  int32_t tokens = 0;  // of [begin, end)
  while (window.end < words) {
    while (window.end < words && tokens + kept(sentence, window.end) <= room_) {
      tokens += kept(sentence, window.end++);
    }
    int32_t next = window.begin;
    if (window.end < words) {
      // The next window shares a quarter and has room for one word more.
      const int32_t most = std::min(room_ / 4, room_ - kept(sentence, window.end));
      while (tokens > most) tokens -= kept(sentence, next++);
    }
    window.last = window.end < words ? next + (window.end - next) / 2 : words;
    windows.push_back(window);
    window.first = window.last;
    window.begin = next;
  }
}

std::vector<int32_t> TagWindows::append(const WordTokens& sentence, const TagWindow& window,
                                        RaggedBatch& batch) const {
  text::EncodedText tokens;
  std::vector<int32_t> places;
  const auto begin = static_cast<int32_t>(batch.tokens());
  for (int32_t word = window.begin; word < window.end; ++word) {
    const int32_t count = kept(sentence, word);
    const auto place = begin + leading_ + static_cast<int32_t>(tokens.ids.size());
    if (word >= window.first && word < window.last) places.push_back(count > 0 ? place : -1);
    const auto from = sentence.ids.begin() + sentence.word_start[static_cast<size_t>(word)];
    tokens.ids.insert(tokens.ids.end(), from, from + count);
  }
  tokens.offsets.resize(tokens.ids.size());
  const text::ModelInput input = text::with_special_tokens(tokenizer_, tokens, nullptr);
  batch.ids.insert(batch.ids.end(), input.ids.begin(), input.ids.end());
  batch.segments.insert(batch.segments.end(), input.segments.begin(), input.segments.end());
  for (int32_t i = 0; i < std::ssize(input.ids); ++i) batch.positions.push_back(i);
  batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
  return places;
}

}  // namespace bertha::tasks
