#include "text/tokenizer_export.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer_settings.h"

namespace bertha::text {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// The settings of the options, or those that the other fields stand for.
TokenizerSettings settings_of(const Vocabulary& vocabulary, const TokenizerOptions& options) {
  if (options.settings != nullptr) return *options.settings;
  TokenizerSettings settings =
      TokenizerSettings::plain(vocabulary, {.lowercase = options.lower_case});
  settings.max_input_chars_per_word = options.max_input_chars_per_word;
  return settings;
}

OrderedJson optional_bool(const std::optional<bool>& value) {
  return value ? OrderedJson(*value) : OrderedJson(nullptr);
}

OrderedJson normalizer_json(const BertNormalizer& normalizer) {
  return {{"type", "BertNormalizer"},
          {"clean_text", normalizer.clean_text},
          {"handle_chinese_chars", normalizer.handle_chinese_chars},
          {"strip_accents", optional_bool(normalizer.strip_accents)},
          {"lowercase", normalizer.lowercase}};
}

OrderedJson template_json(const std::vector<TemplatePart>& parts, const Vocabulary& vocabulary) {
  OrderedJson list = OrderedJson::array();
  for (const TemplatePart& part : parts) {
    const bool special = part.kind == TemplatePart::Kind::kSpecial;
    const char* sequence = part.kind == TemplatePart::Kind::kFirst ? "A" : "B";
    const std::string id = special ? std::string(vocabulary.piece(part.ids.at(0))) : sequence;
    list.push_back(
        {{special ? "SpecialToken" : "Sequence", {{"id", id}, {"type_id", part.segment}}}});
  }
  return list;
}

OrderedJson post_processor_json(const TokenizerSettings& settings, const Vocabulary& vocabulary) {
  OrderedJson tokens;
  for (const std::string& name : {settings.names.cls, settings.names.sep}) {
    tokens[name] = {{"id", name},
                    {"ids", OrderedJson::array({vocabulary.id(name)})},
                    {"tokens", OrderedJson::array({name})}};
  }
  return {{"type", "TemplateProcessing"},
          {"single", template_json(settings.sequence.single, vocabulary)},
          {"pair", template_json(settings.sequence.pair, vocabulary)},
          {"special_tokens", tokens}};
}

OrderedJson token_json(const AddedToken& token) {
  return {{"content", token.content},       {"single_word", token.single_word},
          {"lstrip", token.lstrip},         {"rstrip", token.rstrip},
          {"normalized", token.normalized}, {"special", token.special}};
}

OrderedJson added_tokens_json(std::vector<AddedToken> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  OrderedJson list = OrderedJson::array();
  for (const AddedToken& token : tokens) {
    OrderedJson entry = {{"id", token.id}};
    entry.update(token_json(token));
    list.push_back(entry);
  }
  return list;
}

OrderedJson vocab_json(const Vocabulary& vocabulary, int64_t pieces) {
  OrderedJson vocab = OrderedJson::object();
  // Avoids operator[], which searches all earlier keys.
  auto& entries =
      static_cast<OrderedJson::object_t::Container&>(vocab.get_ref<OrderedJson::object_t&>());
  for (int32_t id = 0; id < pieces; ++id) {
    const std::string_view piece = vocabulary.piece(id);
    if (vocabulary.find(piece) == id) entries.emplace_back(std::string(piece), id);
  }
  return vocab;
}

OrderedJson model_json(const Vocabulary& vocabulary, const TokenizerSettings& settings) {
  return {{"type", "WordPiece"},
          {"unk_token", settings.names.unk},
          {"continuing_subword_prefix", settings.continuing_prefix},
          {"max_input_chars_per_word", settings.max_input_chars_per_word},
          {"vocab", vocab_json(vocabulary, settings.model_pieces)}};
}

/// The parts of a tokenizer that vocab.txt and tokenizer_config.json describe.
OrderedJson bert_sections(const Vocabulary& vocabulary, const TokenizerSettings& settings) {
  return {{"truncation", nullptr},
          {"padding", nullptr},
          {"normalizer", normalizer_json(*settings.bert_normalizer())},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", post_processor_json(settings, vocabulary)},
          {"decoder",
           {{"type", "WordPiece"}, {"prefix", settings.continuing_prefix}, {"cleanup", true}}}};
}

OrderedJson sections_json(const TokenizerSettings::Sections& sections) {
  const auto parse = [](const std::string& text) { return OrderedJson::parse(text); };
  return {{"truncation", parse(sections.truncation)},
          {"padding", parse(sections.padding)},
          {"normalizer", parse(sections.normalizer)},
          {"pre_tokenizer", parse(sections.pre_tokenizer)},
          {"post_processor", parse(sections.post_processor)},
          {"decoder", parse(sections.decoder)}};
}

}  // namespace

std::string vocabulary_text(const Vocabulary& vocabulary, const TokenizerOptions& options) {
  const int64_t pieces =
      options.settings != nullptr ? options.settings->model_pieces : vocabulary.size();
  std::string text;
  for (int32_t id = 0; id < pieces; ++id) {
    text += vocabulary.piece(id);
    text += '\n';
  }
  return text;
}

std::string tokenizer_json(const Vocabulary& vocabulary, const TokenizerOptions& options) {
  const TokenizerSettings settings = settings_of(vocabulary, options);
  OrderedJson parts =
      settings.sections ? sections_json(*settings.sections) : bert_sections(vocabulary, settings);
  const OrderedJson root = {{"version", "1.0"},
                            {"truncation", parts["truncation"]},
                            {"padding", parts["padding"]},
                            {"added_tokens", added_tokens_json(settings.added_tokens)},
                            {"normalizer", parts["normalizer"]},
                            {"pre_tokenizer", parts["pre_tokenizer"]},
                            {"post_processor", parts["post_processor"]},
                            {"decoder", parts["decoder"]},
                            {"model", model_json(vocabulary, settings)}};
  return root.dump(2) + "\n";
}

std::string tokenizer_config_json(const Vocabulary& vocabulary, const TokenizerOptions& options,
                                  int64_t max_tokens) {
  const TokenizerSettings settings = settings_of(vocabulary, options);
  const bool bert = settings.is_bert();
  OrderedJson root = {{"tokenizer_class", bert ? "BertTokenizer" : "PreTrainedTokenizerFast"}};
  if (bert) root["do_lower_case"] = settings.lowers();
  root["model_max_length"] = std::min(settings.model_max_length.value_or(max_tokens), max_tokens);
  if (bert) {
    root["tokenize_chinese_chars"] = settings.bert_normalizer()->handle_chinese_chars;
    root["strip_accents"] = optional_bool(settings.bert_normalizer()->strip_accents);
  }
  const SpecialNames& names = settings.names;
  for (const auto& [key, name] : {std::pair("unk_token", names.unk),
                                  {"sep_token", names.sep},
                                  {"pad_token", names.pad},
                                  {"cls_token", names.cls},
                                  {"mask_token", names.mask}}) {
    if (vocabulary.find(name)) root[key] = name;
  }
  if (settings.truncate_left) root["truncation_side"] = "left";
  return root.dump(2) + "\n";
}

}  // namespace bertha::text
