#pragma once

// Reads the parts of a tokenizer.json, each by the table of keys (tokenizer_keys.h). A part of a
// type that is not in the table is an Error that names it and the supported types.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "text/tokenizer_settings.h"

namespace bertha::text {

class TokenizerJsonReader {
 public:
  /// Messages name `path`; `unknown` receives the names of unknown keys. Both must outlive it.
  TokenizerJsonReader(const std::string& path, std::vector<std::string>& unknown)
      : path_(path), unknown_(unknown) {}

  /// All parts but the vocabulary: the model's pieces are not known here.
  TokenizerSettings read(const nlohmann::json& root) const;
  /// The pieces of model.vocab in the order of their ids. Throws Error for a model of another type.
  std::vector<std::string> pieces(const nlohmann::json& root) const;
  /// An added token: an object, or its content alone. `id` is -1 where the object has none.
  AddedToken added_token(const nlohmann::json& value) const;

 private:
  std::string type_of(const nlohmann::json& part, const char* object) const;
  void check(const nlohmann::json& values, const std::string& object) const;
  void read_normalizers(const nlohmann::json& part, int depth, std::vector<Normalizer>& to) const;
  Normalizer normalizer(const nlohmann::json& part, const std::string& type) const;
  void read_pre_tokenizers(const nlohmann::json& part, int depth,
                           std::vector<PreTokenizer>& to) const;
  PreTokenizer pre_tokenizer(const nlohmann::json& part, const std::string& type) const;
  SplitBehavior behavior(const nlohmann::json& part) const;
  std::u32string string_pattern(const nlohmann::json& part, const char* object) const;
  SequenceTemplate post_processor(const nlohmann::json& part, int depth) const;
  std::vector<TemplatePart> template_parts(const nlohmann::json& part, const char* key) const;
  TemplatePart template_part(const nlohmann::json& item, const nlohmann::json& specials) const;
  int32_t named_id(const nlohmann::json& part, const char* key) const;
  std::optional<Truncation> truncation(const nlohmann::json& part) const;
  void read_model(const nlohmann::json& model, TokenizerSettings& settings) const;

  const std::string& path_;
  std::vector<std::string>& unknown_;
};

}  // namespace bertha::text
