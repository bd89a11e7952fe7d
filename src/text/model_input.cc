#include "text/model_input.h"

#include <algorithm>

#include "core/error.h"
#include "text/tokenizer_settings.h"

namespace bertha::text {
namespace {

/// Removes tokens at one end so that `count` remain.
void keep(int64_t count, bool left, EncodedText& tokens) {
  const auto surplus = std::ssize(tokens.ids) - count;
  if (surplus <= 0) return;
  const auto cut = [&](auto& values) {
    const auto begin = left ? values.begin() : values.end() - surplus;
    values.erase(begin, begin + surplus);
  };
  cut(tokens.ids);
  if (!tokens.offsets.empty()) cut(tokens.offsets);
}

EncodedText encode(const Tokenizer& tokenizer, std::string_view text) {
  EncodedText tokens;
  tokenizer.encode(text, tokens.ids, tokens.offsets);
  return tokens;
}

void append(const TemplatePart& part, const EncodedText& tokens, ModelInput& to) {
  to.ids.insert(to.ids.end(), tokens.ids.begin(), tokens.ids.end());
  to.offsets.insert(to.offsets.end(), tokens.offsets.begin(), tokens.offsets.end());
  to.offsets.resize(to.ids.size());
  to.segments.resize(to.ids.size(), part.segment);
}

/// Only the template of a vocab.txt has ids of -1, for [CLS] or [SEP] that is not in it.
EncodedText special_tokens(const TemplatePart& part, const Tokenizer& tokenizer) {
  if (std::ranges::count(part.ids, -1) > 0) tokenizer.specials();
  return {part.ids, {}};
}

}  // namespace

int64_t allowed_tokens(const Tokenizer& tokenizer, int64_t otherwise) {
  const TokenizerSettings& settings = tokenizer.settings();
  const int64_t stated = settings.truncation ? settings.truncation->max_tokens
                                             : settings.model_max_length.value_or(otherwise);
  return std::min(stated, otherwise);
}

ModelInput with_special_tokens(const Tokenizer& tokenizer, const EncodedText& first,
                               const EncodedText* second) {
  const SequenceTemplate& sequence = tokenizer.settings().sequence;
  ModelInput input;
  for (const TemplatePart& part : second != nullptr ? sequence.pair : sequence.single) {
    using Kind = TemplatePart::Kind;
    if (part.kind == Kind::kFirst) append(part, first, input);
    if (part.kind == Kind::kSecond) append(part, *second, input);
    if (part.kind == Kind::kSpecial) append(part, special_tokens(part, tokenizer), input);
  }
  return input;
}

ModelInput fitted_input(const Tokenizer& tokenizer, EncodedText first,
                        std::optional<EncodedText> second, int64_t max_tokens,
                        std::optional<bool> cut_left) {
  const TokenizerSettings& settings = tokenizer.settings();
  const bool two = second.has_value();
  const int64_t count = std::ssize(first.ids);
  const int64_t other = two ? std::ssize(second->ids) : 0;
  Truncation truncation = settings.truncation.value_or(Truncation{});
  truncation.left = cut_left.value_or(settings.truncate_left);
  const RemainingTokens remaining =
      remaining_tokens(truncation, max_tokens - settings.sequence.special_tokens(two), count,
                       two ? std::optional(other) : std::nullopt);
  keep(remaining.first, truncation.left, first);
  if (two) keep(remaining.second, truncation.left, *second);
  ModelInput input = with_special_tokens(tokenizer, first, two ? &*second : nullptr);
  input.cut = std::ssize(first.ids) + (two ? std::ssize(second->ids) : 0) < count + other;
  return input;
}

ModelInput model_input(const Tokenizer& tokenizer, std::string_view text,
                       std::optional<std::string_view> pair, int64_t max_tokens,
                       std::optional<bool> cut_left) {
  return fitted_input(tokenizer, encode(tokenizer, text),
                      pair ? std::optional(encode(tokenizer, *pair)) : std::nullopt, max_tokens,
                      cut_left);
}

void append(const ModelInput& input, RaggedBatch& batch) {
  batch.ids.insert(batch.ids.end(), input.ids.begin(), input.ids.end());
  batch.segments.insert(batch.segments.end(), input.segments.begin(), input.segments.end());
  for (int32_t i = 0; i < std::ssize(input.ids); ++i) batch.positions.push_back(i);
  batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
}

}  // namespace bertha::text
