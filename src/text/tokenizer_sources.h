#pragma once

// The tokenizer files of a folder, found and parsed.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "text/vocabulary.h"

namespace bertha::text {

/// A parsed JSON object and where it stands; `path` is empty where there is no such file.
struct JsonFile {
  std::string path{};
  nlohmann::json root{};
};

struct TokenizerSources {  // NOLINT(bugprone-exception-escape): moving a json does not throw
  std::optional<Vocabulary> lines{};  ///< of vocab.txt
  JsonFile tokenizer{};               ///< tokenizer.json
  JsonFile config{};                  ///< tokenizer_config.json
  JsonFile special_tokens{};          ///< special_tokens_map.json
  JsonFile added_tokens{};            ///< added_tokens.json
};

/// Finds and parses the files that belong to `path` (see load_tokenizer). Throws Error when there
/// is neither a vocab.txt nor a tokenizer.json, and for a file that cannot be read or is no JSON
/// object.
TokenizerSources read_tokenizer_sources(const std::string& path);

}  // namespace bertha::text
