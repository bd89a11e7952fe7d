#pragma once

// The folder of a sentence-transformers model: modules.json and the files that it names.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "infer/pooling.h"
#include "io/json_key_table.h"

namespace bertha::infer {

/// What the folder says about texts and their vectors.
struct SentenceModules {
  std::vector<Pooling> pooling{};
  bool include_prompt = true;  ///< the prompt's tokens are pooled, too
  std::vector<SentenceLayer> layers{};
  std::optional<int64_t> max_tokens{};
  std::optional<int64_t> kept_elements{};  ///< `truncate_dim`; the last of the layers
  bool lower_case = false;                 ///< texts are lower-cased before the tokenizer
  std::map<std::string, std::string> prompts{};
  std::string default_prompt_name{};  ///< empty: none
  std::vector<std::string> notes{};   ///< warnings about keys that are not known
};

/// The folder with the encoder of the sentence-transformers model in `folder`: the folder itself,
/// or a "0_Transformer" in it. Nothing where there is no modules.json.
std::optional<std::string> sentence_encoder_folder(const std::string& folder);

/// Reads the folder; nothing where there is no modules.json. Throws Error that names the file and
/// the key for a module or a value that is not supported.
std::optional<SentenceModules> read_sentence_modules(const std::string& folder);

/// Copies modules.json and the files that it names, apart from the encoder, which lies in `to`
/// itself, and its tokenizer.
void copy_sentence_modules(const std::string& from, const std::string& to);

/// The sections of these files in the reference page.
std::string sentence_keys_sections();

}  // namespace bertha::infer
