#include "text/tokenizer_pipeline.h"

#include <utility>

#include "core/error.h"
#include "core/utf8.h"

namespace bertha::text {
namespace {

std::vector<Letter> slice(std::span<const Letter> letters, const LetterRange& range) {
  return {letters.begin() + static_cast<std::ptrdiff_t>(range.begin),
          letters.begin() + static_cast<std::ptrdiff_t>(range.end)};
}

}  // namespace

class TokenizerPipeline::Output {
 public:
  Output(std::vector<int32_t>& ids, std::vector<TokenOffset>* offsets)
      : ids_(ids), offsets_(offsets) {}

  /// A token that stands for `letters`, which are not empty.
  void add(int32_t id, std::span<const Letter> letters) {
    ids_.push_back(id);
    if (offsets_ != nullptr)
      offsets_->push_back({letters.front().origin, letters.back().origin + 1});
  }
  size_t size() const { return ids_.size(); }
  /// Removes what was added since size() was `size`.
  void rewind(size_t size) {
    if (offsets_ != nullptr) offsets_->resize(offsets_->size() - (ids_.size() - size));
    ids_.resize(size);
  }

 private:
  std::vector<int32_t>& ids_;
  std::vector<TokenOffset>* offsets_;
};

TokenizerPipeline::TokenizerPipeline(const Vocabulary& vocabulary,
                                     std::shared_ptr<const TokenizerSettings> settings)
    : settings_(std::move(settings)),
      trie_(vocabulary, settings_->continuing_prefix, settings_->model_pieces),
      unk_(vocabulary.id(settings_->names.unk)) {
  for (const AddedToken& token : settings_->added_tokens) {
    std::vector<Letter> content = letters_of(token.content);
    if (token.normalized) normalize(settings_->normalizers, content);
    (token.normalized ? normalized_ : raw_).add(content, token);
  }
}

void TokenizerPipeline::encode(std::string_view text, std::vector<int32_t>& ids,
                               std::vector<TokenOffset>* offsets) const {
  Output output(ids, offsets);
  const std::vector<Letter> letters = letters_of(text);
  for (const auto& segment : raw_.split(letters)) {
    std::vector<Letter> part = slice(letters, segment.range);
    if (segment.token != nullptr) {
      output.add(segment.token->id, part);
    } else {
      encode_text(std::move(part), output);
    }
  }
}

void TokenizerPipeline::encode_text(std::vector<Letter> letters, Output& output) const {
  normalize(settings_->normalizers, letters);
  for (const auto& segment : normalized_.split(letters)) {
    const std::span<const Letter> part = std::span<const Letter>(letters).subspan(
        segment.range.begin, segment.range.end - segment.range.begin);
    if (segment.token != nullptr) {
      output.add(segment.token->id, part);
      continue;
    }
    for (const LetterRange& word : split_words(settings_->pre_tokenizers, part)) {
      encode_word(part.subspan(word.begin, word.end - word.begin), output);
    }
  }
}

void TokenizerPipeline::encode_word(std::span<const Letter> word, Output& output) const {
  const size_t mark = output.size();
  const bool too_long = std::ssize(word) > settings_->max_input_chars_per_word;
  std::string bytes;
  std::vector<size_t> letter_of_byte;
  for (size_t i = 0; !too_long && i < word.size(); ++i) {
    append_utf8(word[i].code_point, bytes);
    letter_of_byte.resize(bytes.size(), i);
  }
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* p = begin;
  while (p < end) {
    const PieceTrie::Match match = trie_.longest(p, end, p != begin);
    if (match.id < 0) break;
    const size_t first = letter_of_byte[static_cast<size_t>(p - begin)];
    p += match.bytes;
    const size_t last = letter_of_byte[static_cast<size_t>(p - begin - 1)];
    output.add(match.id, word.subspan(first, last - first + 1));
  }
  if (p == end && !too_long) return;
  output.rewind(mark);
  output.add(unk_, word);
}

}  // namespace bertha::text
