#include "text/tokenizer_file.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace bertha::text {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// Returns the file's contents. Throws Error when it cannot be read or exceeds `most_bytes`.
std::string read_file(const std::string& path, int64_t most_bytes) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) fail("{}: cannot open the tokenizer: {}", path, error.message());
  if (size > static_cast<uintmax_t>(most_bytes)) {
    fail("{}: {} bytes, expected a tokenizer of at most {}", path, size, most_bytes);
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    fail("{}: cannot read the tokenizer", path);
  }
  return text;
}

/// The member, or null; `json` may be of any type.
const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : kNull;
}

/// Stores a piece at its id. Ids may come in any order, but each must occur once and none may be
/// missing.
void place(std::vector<std::string>& pieces, std::string_view piece, const Json& id,
           const std::string& path) {
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= pieces.size()) {
    fail("{}: piece \"{}\" has id {}, expected one from 0 to {}", path, piece, id.dump(),
         pieces.size() - 1);
  }
  std::string& to = pieces[id.get<size_t>()];
  if (!to.empty()) fail("{}: pieces \"{}\" and \"{}\" have the same id", path, to, piece);
  to = piece;
}

Vocabulary vocabulary_of(const Json& vocab, const std::string& path) {
  if (!vocab.is_object() || vocab.empty()) {
    fail("{}: expected a tokenizer with model.vocab, a JSON object of pieces and ids", path);
  }
  std::vector<std::string> pieces(vocab.size());
  for (const auto& [piece, id] : vocab.items()) place(pieces, piece, id, path);
  std::string lines;
  for (const std::string& piece : pieces) lines += piece + "\n";
  Vocabulary vocabulary = Vocabulary::parse(lines, path);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool there = std::cmp_less(i, vocabulary.size());
    if (!there || vocabulary.piece(static_cast<int32_t>(i)) != pieces[i]) {
      fail("{}: piece {} starts or ends with white space or contains a line break", path, i);
    }
  }
  return vocabulary;
}

void reject_other_tokenizers(const Json& root, const std::string& path) {
  const Json& type = member(member(root, "model"), "type");
  if (!type.is_null() && type != "WordPiece") {
    fail("{}: a tokenizer of type {}, expected WordPiece", path, type.dump());
  }
  const Json& normalizer = member(root, "normalizer");
  const Json& strip = member(normalizer, "strip_accents");
  if (strip.is_boolean() && strip != member(normalizer, "lowercase")) {
    fail("{}: strip_accents {} with lowercase {}; only equal values are supported", path,
         strip.dump(), member(normalizer, "lowercase").dump());
  }
}

TokenizerFile from_json(const std::string& contents, const std::string& path) {
  const Json root = Json::parse(contents, nullptr, false);
  if (!root.is_object()) fail("{}: expected a JSON object, a tokenizer", path);
  reject_other_tokenizers(root, path);
  const Json& model = member(root, "model");
  TokenizerFile file{vocabulary_of(member(model, "vocab"), path), {}};
  const Json& lower = member(member(root, "normalizer"), "lowercase");
  if (lower.is_boolean()) file.lower_case = lower.get<bool>();
  const Json& longest = member(model, "max_input_chars_per_word");
  if (longest.is_number_unsigned() && longest >= 1 && longest <= 1 << 16) {
    file.max_input_chars_per_word = longest.get<int32_t>();
  }
  return file;
}

/// do_lower_case of the tokenizer_config.json beside `path`.
std::optional<bool> lower_case_beside(const std::string& path) {
  const std::filesystem::path config =
      std::filesystem::path(path).parent_path() / "tokenizer_config.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(config, ignored)) return std::nullopt;
  const Json root = Json::parse(read_file(config.string(), 1 << 20), nullptr, false);
  if (!root.is_object()) fail("{}: expected a JSON object", config.string());
  const Json& lower = member(root, "do_lower_case");
  return lower.is_boolean() ? std::optional(lower.get<bool>()) : std::nullopt;
}

OrderedJson template_of(const std::vector<std::pair<const char*, int>>& parts) {
  OrderedJson list = OrderedJson::array();
  for (const auto& [name, type] : parts) {
    const char* kind = name[0] == '[' ? "SpecialToken" : "Sequence";
    list.push_back({{kind, {{"id", name}, {"type_id", type}}}});
  }
  return list;
}

OrderedJson post_processor(const SpecialIds& special) {
  OrderedJson tokens;
  for (const auto& [name, id] :
       {std::pair("[CLS]", special.cls), std::pair("[SEP]", special.sep)}) {
    tokens[name] = {
        {"id", name}, {"ids", OrderedJson::array({id})}, {"tokens", OrderedJson::array({name})}};
  }
  return {{"type", "TemplateProcessing"},
          {"single", template_of({{"[CLS]", 0}, {"A", 0}, {"[SEP]", 0}})},
          {"pair", template_of({{"[CLS]", 0}, {"A", 0}, {"[SEP]", 0}, {"B", 1}, {"[SEP]", 1}})},
          {"special_tokens", tokens}};
}

OrderedJson added_tokens(const Vocabulary& vocabulary) {
  OrderedJson list = OrderedJson::array();
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    list.push_back({{"id", vocabulary.id(name)},
                    {"content", name},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", true}});
  }
  return list;
}

}  // namespace

TokenizerFile load_tokenizer(const std::string& path) {
  const std::string contents = read_file(path, Vocabulary::kMaxFileBytes);
  // A vocab.txt may start with the piece "{"; a tokenizer.json also names its model.
  const size_t first = contents.find_first_not_of(" \t\r\n");
  if (first != contents.npos && contents[first] == '{' &&
      contents.find("\"model\"") != contents.npos) {
    return from_json(contents, path);
  }
  return {Vocabulary::parse(contents, path), lower_case_beside(path)};
}

std::string vocabulary_text(const Vocabulary& vocabulary) {
  std::string text;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    text += vocabulary.piece(id);
    text += '\n';
  }
  return text;
}

std::string tokenizer_json(const Vocabulary& vocabulary, const TokenizerOptions& options) {
  OrderedJson vocab = OrderedJson::object();
  // Avoids operator[], which searches all earlier keys.
  auto& entries =
      static_cast<OrderedJson::object_t::Container&>(vocab.get_ref<OrderedJson::object_t&>());
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view piece = vocabulary.piece(id);
    if (vocabulary.find(piece) == id) entries.emplace_back(std::string(piece), id);
  }
  const OrderedJson root = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(vocabulary)},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", options.lower_case}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", post_processor(vocabulary.specials())},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", options.max_input_chars_per_word},
        {"vocab", vocab}}}};
  return root.dump(2) + "\n";
}

std::string tokenizer_config_json(const TokenizerOptions& options, int64_t max_tokens) {
  const OrderedJson root = {{"tokenizer_class", "BertTokenizer"},
                            {"do_lower_case", options.lower_case},
                            {"model_max_length", max_tokens},
                            {"tokenize_chinese_chars", true},
                            {"strip_accents", nullptr},
                            {"unk_token", "[UNK]"},
                            {"sep_token", "[SEP]"},
                            {"pad_token", "[PAD]"},
                            {"cls_token", "[CLS]"},
                            {"mask_token", "[MASK]"}};
  return root.dump(2) + "\n";
}

}  // namespace bertha::text
