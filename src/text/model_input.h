#pragma once

// The input of a model for one text or two: tokens, special tokens and segments as the tokenizer's
// template has them, cut to a number of tokens.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/ragged_batch.h"
#include "text/tokenizer.h"

namespace bertha::text {

struct ModelInput {
  std::vector<int32_t> ids{};
  std::vector<int32_t> segments{};
  std::vector<TokenOffset> offsets{};  ///< of special tokens: 0 to 0
  bool cut = false;                    ///< tokens are missing
};

/// How many tokens a tokenizer's files allow: by their truncation, else by model_max_length, else
/// `otherwise`; and never more than that.
int64_t allowed_tokens(const Tokenizer& tokenizer, int64_t otherwise);

/// Tokens of a text without special tokens. The offsets may be left out.
struct EncodedText {
  std::vector<int32_t> ids{};
  std::vector<TokenOffset> offsets{};
};

/// Puts the template's special tokens around the tokens of one text, or of two. Throws Error when
/// the vocabulary lacks one of them.
ModelInput with_special_tokens(const Tokenizer& tokenizer, const EncodedText& first,
                               const EncodedText* second);

/// Makes the input; with special tokens it has at most `max_tokens`. `cut_left` says which end of a
/// text is cut; nothing: the one that the tokenizer's files name. Throws Error when the vocabulary
/// lacks a special token of the template.
ModelInput model_input(const Tokenizer& tokenizer, std::string_view text,
                       std::optional<std::string_view> pair, int64_t max_tokens,
                       std::optional<bool> cut_left = std::nullopt);
/// The same for texts that are tokens already.
ModelInput fitted_input(const Tokenizer& tokenizer, EncodedText first,
                        std::optional<EncodedText> second, int64_t max_tokens,
                        std::optional<bool> cut_left = std::nullopt);

/// Appends the input as a sequence of its own.
void append(const ModelInput& input, RaggedBatch& batch);

}  // namespace bertha::text
