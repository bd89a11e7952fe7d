#pragma once

// From tokens back to text, as the WordPiece decoder of Hugging Face's `tokenizers` does it: pieces
// that continue a word are joined to it, all others get a space, and the spaces before punctuation
// and English short forms go.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace bertha::text {

/// The text of these tokens. Throws Error for an id that the vocabulary does not have.
std::string decode_pieces(const Tokenizer& tokenizer, std::span<const int32_t> ids,
                          bool skip_special_tokens);

/// The text of these pieces. The first one is taken as it is.
std::string join_pieces(const Tokenizer& tokenizer, std::span<const std::string_view> pieces);

/// Whether the token is [CLS] or another of the tokenizer's special tokens.
bool is_special(const Tokenizer& tokenizer, int32_t id);

}  // namespace bertha::text
