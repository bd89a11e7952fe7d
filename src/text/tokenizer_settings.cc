#include "text/tokenizer_settings.h"

#include <algorithm>
#include <array>

namespace bertha::text {
namespace {

constexpr std::array<const char*, 5> kBertSpecials = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

bool is_same(const PreTokenizer& a, const PreTokenizer& b) {
  return a.kind == b.kind && a.behavior == b.behavior && a.pattern == b.pattern;
}

/// BERT's special tokens that the vocabulary holds, each found in a text as it stands.
std::vector<AddedToken> bert_specials(const Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  for (const char* name : kBertSpecials) {
    const auto id = vocabulary.find(name);
    if (id) tokens.push_back({.content = name, .id = *id});
  }
  return tokens;
}

bool lowers_text(const Normalizer& normalizer) {
  const auto* bert = std::get_if<BertNormalizer>(&normalizer);
  return std::holds_alternative<LowercaseNormalizer>(normalizer) ||
         (bert != nullptr && bert->lowercase);
}

}  // namespace

std::vector<PreTokenizer> TokenizerSettings::bert_pre_tokenizers() {
  return {{.kind = PreTokenizer::Kind::kWhiteSpace},
          {.kind = PreTokenizer::Kind::kPunctuation, .behavior = SplitBehavior::kIsolated}};
}

TokenizerSettings TokenizerSettings::plain(const Vocabulary& vocabulary,
                                           const BertNormalizer& normalizer) {
  TokenizerSettings settings;
  settings.normalizers = {normalizer};
  settings.added_tokens = bert_specials(vocabulary);
  settings.model_pieces = vocabulary.size();
  settings.sequence = SequenceTemplate::bert(vocabulary.find(settings.names.cls).value_or(-1),
                                             vocabulary.find(settings.names.sep).value_or(-1));
  return settings;
}

const BertNormalizer* TokenizerSettings::bert_normalizer() const {
  return normalizers.size() == 1 ? std::get_if<BertNormalizer>(&normalizers[0]) : nullptr;
}

bool TokenizerSettings::lowers() const {
  return std::any_of(normalizers.begin(), normalizers.end(), lowers_text);
}

bool TokenizerSettings::is_bert() const {
  const std::vector<PreTokenizer> usual = bert_pre_tokenizers();
  const BertNormalizer* bert = bert_normalizer();
  return bert != nullptr && bert->clean_text && continuing_prefix == "##" &&
         std::equal(pre_tokenizers.begin(), pre_tokenizers.end(), usual.begin(), usual.end(),
                    is_same);
}

bool TokenizerSettings::is_plain(const Vocabulary& vocabulary) const {
  if (!is_bert() || names.unk != "[UNK]" || model_pieces != vocabulary.size()) return false;
  const BertNormalizer& bert = *bert_normalizer();
  if (!bert.handle_chinese_chars || bert.strip_accents.value_or(bert.lowercase) != bert.lowercase) {
    return false;
  }
  const std::vector<AddedToken> specials = bert_specials(vocabulary);
  return added_tokens.size() == specials.size() &&
         std::is_permutation(added_tokens.begin(), added_tokens.end(), specials.begin());
}

}  // namespace bertha::text
