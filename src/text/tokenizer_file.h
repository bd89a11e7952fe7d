#pragma once

// The tokenizer of a model's folder: vocab.txt, tokenizer.json, tokenizer_config.json,
// special_tokens_map.json and added_tokens.json, read as one.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "text/tokenizer_settings.h"
#include "text/vocabulary.h"

namespace bertha::text {

struct TokenizerFile {
  Vocabulary vocabulary;             ///< the model's pieces, then the added tokens
  std::optional<bool> lower_case;    ///< set when the files state it
  TokenizerSettings settings;        ///< in lower case where the files do not state it
  std::vector<std::string> notes{};  ///< lines for the user: keys that are unknown

  /// How text is treated. `lower_case` holds where the files do not state it.
  TokenizerOptions options(bool lower_case, TokenRules rules = TokenRules::kHf) const;
};

/// Reads a tokenizer. `path` is a folder, a vocab.txt or a tokenizer.json; which of the two a file
/// is shows in its content. The other files beside it are read, too: tokenizer.json goes before
/// vocab.txt. A file of another name stands for the one of its kind. Throws Error that names file
/// and key for what is not supported, for files that contradict each other, for ids that are not 0,
/// 1, 2, …, and for pieces that a vocab.txt cannot hold.
TokenizerFile load_tokenizer(const std::string& path);

/// The tokenizer of a vocab.txt that lies alone.
TokenizerFile tokenizer_of(Vocabulary lines);

/// Whether the folder has a vocab.txt or a tokenizer.json.
bool has_tokenizer_file(const std::string& folder);

}  // namespace bertha::text
