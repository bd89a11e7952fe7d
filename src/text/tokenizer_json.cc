#include "text/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "io/shallow_json.h"
#include "text/json_fields.h"
#include "text/tokenizer_keys.h"

namespace bertha::text {
namespace {

using Json = nlohmann::json;

constexpr const char* kFile = "tokenizer.json";
constexpr int kMaxDepth = 8;             // of sequences within sequences
constexpr size_t kMaxParts = 256;        // of a sequence
constexpr size_t kMaxStringBytes = 256;  // of a pattern, a replacement or an added token
constexpr int64_t kMaxId = int64_t{1} << 28;

std::u32string to_code_points(const std::string& text) {
  std::u32string result;
  for (const Letter& letter : letters_of(text)) result += letter.code_point;
  return result;
}

UnicodeForm unicode_form(const std::string& type) {
  return {.composed = type == "NFC" || type == "NFKC",
          .compatible = type == "NFKC" || type == "NFKD"};
}

/// An id of a token; nothing for another value.
std::optional<int32_t> id_of(const Json& value) {
  const std::optional<int64_t> number = io::whole_number(value);
  const bool fits = number && *number >= 0 && *number <= kMaxId;
  return fits ? std::optional(static_cast<int32_t>(*number)) : std::nullopt;
}

int64_t count_parts(const std::vector<TemplatePart>& parts, TemplatePart::Kind kind) {
  return std::ranges::count(parts, kind, &TemplatePart::kind);
}

}  // namespace

void TokenizerJsonReader::check(const Json& values, const std::string& object) const {
  check_keys(values, kFile, object, path_, unknown_);
}

std::string TokenizerJsonReader::type_of(const Json& part, const char* object) const {
  if (!part.is_object()) fail("{}: {} is no object with a type", path_, object);
  const std::string type = string_member(part, "type", "", path_);
  if (!is_supported_type(object, type)) {
    fail("{}: {} of type {}; supported: {}", path_, object,
         Json(type).dump(-1, ' ', false, Json::error_handler_t::replace), supported_types(object));
  }
  check(part, fmt::format("{} {}", object, type));
  return type;
}

void TokenizerJsonReader::read_normalizers(const Json& part, int depth,
                                           std::vector<Normalizer>& to) const {
  if (part.is_null()) return;
  const std::string type = type_of(part, "normalizer");
  if (type != "Sequence") {
    to.push_back(normalizer(part, type));
    if (to.size() > kMaxParts) fail("{}: over {} normalizers", path_, kMaxParts);
    return;
  }
  if (depth == kMaxDepth) fail("{}: normalizers nested more than {} deep", path_, kMaxDepth);
  for (const Json& inner : array_member(part, "normalizers", path_)) {
    read_normalizers(inner, depth + 1, to);
  }
}

Normalizer TokenizerJsonReader::normalizer(const Json& part, const std::string& type) const {
  const auto flag = [&](const char* key, bool fallback) {
    return bool_member(part, key, fallback, path_);
  };
  if (type == "BertNormalizer") {
    BertNormalizer bert = {.clean_text = flag("clean_text", true),
                           .handle_chinese_chars = flag("handle_chinese_chars", true),
                           .lowercase = flag("lowercase", true)};
    if (!member(part, "strip_accents").is_null()) bert.strip_accents = flag("strip_accents", false);
    return bert;
  }
  if (type == "Lowercase") return LowercaseNormalizer{};
  if (type == "StripAccents") return StripAccentsNormalizer{};
  if (type == "Strip") {
    return StripNormalizer{.left = flag("strip_left", true), .right = flag("strip_right", true)};
  }
  if (type == "Replace") {
    const std::string content = string_member(part, "content", "", path_);
    if (content.size() > kMaxStringBytes) {
      fail("{}: Replace with {} bytes, expected at most {}", path_, content.size(),
           kMaxStringBytes);
    }
    return ReplaceNormalizer{string_pattern(part, "Replace"), to_code_points(content)};
  }
  return unicode_form(type);
}

std::u32string TokenizerJsonReader::string_pattern(const Json& part, const char* object) const {
  const Json& pattern = member(part, "pattern");
  const Json& text = member(pattern, "String");
  if (!text.is_string()) {
    fail("{}: {} has the pattern {}; supported: {{\"String\": …}}", path_, object,
         member(pattern, "Regex").is_string() ? "{\"Regex\": …}" : "of another form");
  }
  const auto value = text.get<std::string>();
  if (value.empty() || value.size() > kMaxStringBytes) {
    fail("{}: {} has a pattern of {} bytes, expected 1 to {}", path_, object, value.size(),
         kMaxStringBytes);
  }
  return to_code_points(value);
}

void TokenizerJsonReader::read_pre_tokenizers(const Json& part, int depth,
                                              std::vector<PreTokenizer>& to) const {
  if (part.is_null()) return;
  const std::string type = type_of(part, "pre_tokenizer");
  if (type == "Sequence") {
    if (depth == kMaxDepth) fail("{}: pre-tokenizers nested more than {} deep", path_, kMaxDepth);
    for (const Json& inner : array_member(part, "pretokenizers", path_)) {
      read_pre_tokenizers(inner, depth + 1, to);
    }
  } else if (type == "BertPreTokenizer") {
    const std::vector<PreTokenizer> both = TokenizerSettings::bert_pre_tokenizers();
    to.insert(to.end(), both.begin(), both.end());
  } else {
    to.push_back(pre_tokenizer(part, type));
  }
  if (to.size() > kMaxParts) fail("{}: over {} pre-tokenizers", path_, kMaxParts);
}

PreTokenizer TokenizerJsonReader::pre_tokenizer(const Json& part, const std::string& type) const {
  using Kind = PreTokenizer::Kind;
  if (type == "Whitespace") return {.kind = Kind::kNotWords};
  if (type == "Punctuation") return {.kind = Kind::kPunctuation, .behavior = behavior(part)};
  if (type == "Digits") {
    const bool each = bool_member(part, "individual_digits", false, path_);
    return {.kind = Kind::kDigits,
            .behavior = each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous};
  }
  if (type == "CharDelimiterSplit") {
    const std::u32string pattern = to_code_points(string_member(part, "delimiter", "", path_));
    if (pattern.size() != 1) fail("{}: delimiter is no single character", path_);
    return {.kind = Kind::kString, .behavior = SplitBehavior::kRemoved, .pattern = pattern};
  }
  if (type == "Split") {
    const bool inverse = bool_member(part, "invert", false, path_);
    return {.kind = inverse ? Kind::kStringInverse : Kind::kString,
            .behavior = behavior(part),
            .pattern = string_pattern(part, "Split")};
  }
  return {.kind = Kind::kWhiteSpace};
}

SplitBehavior TokenizerJsonReader::behavior(const Json& part) const {
  static constexpr std::array<std::pair<const char*, SplitBehavior>, 5> kNames = {
      {{"Removed", SplitBehavior::kRemoved},
       {"Isolated", SplitBehavior::kIsolated},
       {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
       {"MergedWithNext", SplitBehavior::kMergedWithNext},
       {"Contiguous", SplitBehavior::kContiguous}}};
  const std::string name = string_member(part, "behavior", "Isolated", path_);
  for (const auto& [known, value] : kNames) {
    if (name == known) return value;
  }
  fail(
      "{}: behavior {}; supported: Isolated, Removed, MergedWithPrevious, MergedWithNext, "
      "Contiguous",
      path_, name);
}

SequenceTemplate TokenizerJsonReader::post_processor(const Json& part, int depth) const {
  if (part.is_null()) return SequenceTemplate::bare();
  const std::string type = type_of(part, "post_processor");
  if (type == "Sequence") {
    const Json& inner = array_member(part, "processors", path_);
    if (inner.size() != 1 || depth == kMaxDepth) {
      fail("{}: a sequence of {} post-processors; supported: of one", path_, inner.size());
    }
    return post_processor(inner[0], depth + 1);
  }
  if (type == "TemplateProcessing") {
    using Kind = TemplatePart::Kind;
    const SequenceTemplate made = {template_parts(part, "single"), template_parts(part, "pair")};
    const bool single =
        count_parts(made.single, Kind::kFirst) == 1 && count_parts(made.single, Kind::kSecond) == 0;
    const bool pair =
        count_parts(made.pair, Kind::kFirst) == 1 && count_parts(made.pair, Kind::kSecond) == 1;
    if (!single || !pair) {
      fail("{}: a template that is not of one sequence A, and of one A and one B", path_);
    }
    return made;
  }
  const int32_t cls = named_id(part, "cls");
  const int32_t sep = named_id(part, "sep");
  SequenceTemplate made = SequenceTemplate::bert(cls, sep);
  if (type == "BertProcessing") return made;
  for (TemplatePart& each : made.pair) each.segment = 0;
  made.pair[2].ids = {sep, sep};
  return made;
}

std::vector<TemplatePart> TokenizerJsonReader::template_parts(const Json& part,
                                                              const char* key) const {
  const Json& items = array_member(part, key, path_);
  if (items.size() > kMaxParts) fail("{}: a template of over {} parts", path_, kMaxParts);
  std::vector<TemplatePart> parts;
  for (const Json& item : items) {
    parts.push_back(template_part(item, member(part, "special_tokens")));
  }
  return parts;
}

TemplatePart TokenizerJsonReader::template_part(const Json& item, const Json& specials) const {
  const Json& sequence = member(item, "Sequence");
  const Json& token = member(item, "SpecialToken");
  const Json& of = sequence.is_null() ? token : sequence;
  const std::string id = string_member(of, "id", "", path_);
  TemplatePart made;
  made.segment = static_cast<int32_t>(integer_member(of, "type_id", 0, 0, kMaxId, path_));
  if (!sequence.is_null()) {
    if (id != "A" && id != "B") fail("{}: a template's sequence {}, expected A or B", path_, id);
    made.kind = id == "A" ? TemplatePart::Kind::kFirst : TemplatePart::Kind::kSecond;
    return made;
  }
  const Json& special = member(specials, id.c_str());
  for (const Json& number : array_member(special, "ids", path_)) {
    const std::optional<int32_t> value = id_of(number);
    if (!value) fail("{}: special token {} has the id {}", path_, id, number.dump());
    made.ids.push_back(*value);
  }
  if (made.ids.empty()) fail("{}: the template's token {} has no ids", path_, id);
  return made;
}

/// The id of a pair of content and id.
int32_t TokenizerJsonReader::named_id(const Json& part, const char* key) const {
  const Json& pair = member(part, key);
  const bool fits = pair.is_array() && pair.size() == 2 && pair[0].is_string();
  const std::optional<int32_t> id = fits ? id_of(pair[1]) : std::nullopt;
  if (!id) fail("{}: post_processor: {} is no pair of a token and its id", path_, key);
  return *id;
}

std::optional<Truncation> TokenizerJsonReader::truncation(const Json& part) const {
  if (part.is_null()) return std::nullopt;
  if (!part.is_object()) fail("{}: truncation is no object", path_);
  check(part, "truncation");
  const std::string direction = string_member(part, "direction", "Right", path_);
  const std::string strategy = string_member(part, "strategy", "LongestFirst", path_);
  const bool known =
      strategy == "LongestFirst" || strategy == "OnlyFirst" || strategy == "OnlySecond";
  if (!known || (direction != "Right" && direction != "Left")) {
    fail("{}: truncation {} {}; supported: Right, Left; LongestFirst, OnlyFirst, OnlySecond", path_,
         direction, strategy);
  }
  using Strategy = Truncation::Strategy;
  return Truncation{.max_tokens = integer_member(part, "max_length", 512, 0, kMaxId, path_),
                    .strategy = strategy == "OnlyFirst"    ? Strategy::kOnlyFirst
                                : strategy == "OnlySecond" ? Strategy::kOnlySecond
                                                           : Strategy::kLongestFirst,
                    .left = direction == "Left"};
}

AddedToken TokenizerJsonReader::added_token(const Json& value) const {
  AddedToken token;
  const std::string content =
      value.is_string() ? value.get<std::string>() : string_member(value, "content", "", path_);
  if (content.empty() || content.size() > kMaxStringBytes) {
    fail("{}: an added token of {} bytes, expected 1 to {}", path_, content.size(),
         kMaxStringBytes);
  }
  token.content = content;
  if (value.is_string()) return token;
  const auto flag = [&](const char* key, bool fallback) {
    return bool_member(value, key, fallback, path_);
  };
  token.id = static_cast<int32_t>(integer_member(value, "id", -1, 0, kMaxId, path_));
  token.single_word = flag("single_word", false);
  token.lstrip = flag("lstrip", false);
  token.rstrip = flag("rstrip", false);
  token.special = flag("special", true);
  token.normalized = flag("normalized", !token.special);
  return token;
}

void TokenizerJsonReader::read_model(const Json& model, TokenizerSettings& settings) const {
  // Files of older versions have no type; WordPiece and BPE have a prefix, and BPE has merges.
  const bool typed = !member(model, "type").is_null();
  const bool prefixed = member(model, "continuing_subword_prefix").is_string();
  if (!typed && (!prefixed || !member(model, "merges").is_null())) {
    fail("{}: a tokenizer of unknown type; supported: {}", path_, supported_types("model"));
  }
  check(model, "model WordPiece");
  settings.names.unk = string_member(model, "unk_token", "[UNK]", path_);
  settings.continuing_prefix = string_member(model, "continuing_subword_prefix", "##", path_);
  settings.max_input_chars_per_word = static_cast<int32_t>(
      integer_member(model, "max_input_chars_per_word", 100, 1, INT32_MAX, path_));
}

TokenizerSettings TokenizerJsonReader::read(const Json& root) const {
  check(root, "");
  TokenizerSettings settings;
  settings.normalizers.clear();
  settings.pre_tokenizers.clear();
  read_model(member(root, "model"), settings);
  read_normalizers(member(root, "normalizer"), 0, settings.normalizers);
  read_pre_tokenizers(member(root, "pre_tokenizer"), 0, settings.pre_tokenizers);
  settings.sequence = post_processor(member(root, "post_processor"), 0);
  settings.truncation = truncation(member(root, "truncation"));
  for (const Json& token : array_member(root, "added_tokens", path_)) {
    if (token.is_object()) check(token, "added_tokens");
    settings.added_tokens.push_back(added_token(token));
  }
  const auto text = [&root](const char* key) { return member(root, key).dump(); };
  settings.sections = {text("normalizer"), text("pre_tokenizer"), text("post_processor"),
                       text("decoder"),    text("truncation"),    text("padding")};
  return settings;
}

std::vector<std::string> TokenizerJsonReader::pieces(const Json& root) const {
  const Json& model = member(root, "model");
  const std::string type = string_member(model, "type", "WordPiece", path_);
  if (!is_supported_type("model", type)) {
    fail("{}: a tokenizer of type {}; supported: {}", path_, type, supported_types("model"));
  }
  const Json& vocab = member(model, "vocab");
  if (!vocab.is_object() || vocab.empty()) {
    fail("{}: expected a tokenizer with model.vocab, a JSON object of pieces and ids", path_);
  }
  std::vector<std::string> pieces(vocab.size());
  for (const auto& [piece, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= pieces.size()) {
      fail("{}: piece \"{}\" has id {}, expected one from 0 to {}", path_, piece, id.dump(),
           pieces.size() - 1);
    }
    std::string& to = pieces[id.get<size_t>()];
    if (!to.empty()) fail("{}: pieces \"{}\" and \"{}\" have the same id", path_, to, piece);
    to = piece;
  }
  return pieces;
}

}  // namespace bertha::text
