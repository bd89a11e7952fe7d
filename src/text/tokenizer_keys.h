#pragma once

// The keys of a model folder's tokenizer files, and what the program does with each. This one table
// serves the check of files and the reference page.

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::text {

struct TokenizerKey {
  enum class Action : uint8_t {
    kObeyed,   ///< `text` says what the key does
    kRefused,  ///< `text` is a JSON array of the values that are supported
    kIgnored   ///< `text` says why the key cannot change the result
  };
  const char* file;
  /// The object within the file: empty, the name of a key, or a key and the type of its object, as
  /// in "normalizer BertNormalizer".
  const char* object;
  const char* key;
  Action action;
  const char* text;
};

std::span<const TokenizerKey> tokenizer_keys();

/// The types of an object of tokenizer.json that are supported, as in "NFC, NFD".
std::string supported_types(std::string_view object);
/// Whether `type` is one of them.
bool is_supported_type(std::string_view object, std::string_view type);

/// Checks the keys of a JSON object against the table. Throws Error that names `path`, the key and
/// the supported values for a value that is refused; appends the names of unknown keys to
/// `unknown`.
void check_keys(const nlohmann::json& values, std::string_view file, std::string_view object,
                const std::string& path, std::vector<std::string>& unknown);

/// The table as a page of Markdown.
std::string tokenizer_keys_page();

}  // namespace bertha::text
