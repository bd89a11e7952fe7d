#include "text/tokenizer_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/strings.h"
#include "io/file_status.h"
#include "io/shallow_json.h"
#include "text/json_fields.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_keys.h"
#include "text/tokenizer_sources.h"

namespace bertha::text {
namespace {

using Json = nlohmann::json;

/// Classes of Python whose tokenizer is BERT's.
const std::array<std::string, 12> kBertClasses = {
    "BertTokenizer",       "DistilBertTokenizer",        "ElectraTokenizer",
    "MobileBertTokenizer", "SqueezeBertTokenizer",       "ConvBertTokenizer",
    "LxmertTokenizer",     "LayoutLMTokenizer",          "RetriBertTokenizer",
    "DPRReaderTokenizer",  "DPRContextEncoderTokenizer", "DPRQuestionEncoderTokenizer"};
/// Classes that do what a tokenizer.json says.
const std::array<std::string, 4> kGeneralClasses = {"PreTrainedTokenizer", "TokenizersBackend",
                                                    "MPNetTokenizer", "AutoTokenizer"};

/// The members that name special tokens, in the order in which transformers adds them.
constexpr std::array<const char*, 7> kRoles = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether a vocab.txt can hold a piece, though without white space at its ends. A vocabulary of
/// BERT's has two pieces that end in U+2028.
bool is_line(std::string_view piece) {
  constexpr std::string_view kBlanks = " \t\v\f";
  return !piece.empty() && piece.find_first_of("\r\n") == std::string_view::npos &&
         kBlanks.find(piece.front()) == std::string_view::npos &&
         kBlanks.find(piece.back()) == std::string_view::npos;
}

/// The content of a special token, which is a string or an object.
std::string content_of(const Json& token, const char* key, const std::string& path) {
  if (token.is_null() || token.is_string()) return token.is_null() ? "" : token.get<std::string>();
  if (!token.is_object()) fail("{}: {} is a {}, expected a token", path, key, token.type_name());
  return string_member(token, "content", "", path);
}

/// Puts together what the files of one folder say.
class FolderReader {
 public:
  explicit FolderReader(TokenizerSources sources) : sources_(std::move(sources)) {}

  TokenizerFile read();

 private:
  bool has_json() const { return !sources_.tokenizer.path.empty(); }
  const std::string& main_path() const { return model_ ? model_->name() : sources_.tokenizer.path; }
  const JsonFile& config() const { return sources_.config; }
  bool config_flag(const char* key, bool fallback) const {
    return bool_member(config().root, key, fallback, config().path);
  }

  void check_config();
  void read_class();
  Vocabulary read_model_vocabulary();
  void check_lines() const;
  std::optional<int32_t> find(const std::string& content) const;
  int64_t total() const { return model_->size() + std::ssize(appended_); }
  std::string_view piece(int64_t id) const;
  Vocabulary take_vocabulary();
  void read_settings();
  BertNormalizer configured_normalizer() const;
  void check_contradictions();
  void read_lengths();
  void read_names();
  std::string role(const char* key) const;
  void name_from_template();
  void collect_added_tokens();
  void collect_special_tokens();
  void add(AddedToken token, const std::string& path, bool states_flags);
  void add_by_ids(const std::map<int32_t, AddedToken>& tokens, const std::string& path,
                  bool states_flags);
  void finish_template();
  void note_unknown(const std::string& path);

  TokenizerSources sources_;
  bool bert_class_ = false;
  std::optional<Vocabulary> model_;     // the pieces of the model
  std::optional<Vocabulary> stripped_;  // as a vocab.txt has them, where that differs
  std::vector<std::string> appended_;   // tokens that were added behind them
  std::map<std::string, int32_t> ids_;  // of those
  TokenizerSettings settings_;
  std::vector<AddedToken> added_;
  std::vector<std::string> unknown_;
  std::vector<std::string> notes_;
};

void FolderReader::note_unknown(const std::string& path) {
  constexpr size_t kShown = 20;
  if (unknown_.empty()) return;
  std::sort(unknown_.begin(), unknown_.end());
  unknown_.erase(std::unique(unknown_.begin(), unknown_.end()), unknown_.end());
  const size_t more = unknown_.size() - std::min(unknown_.size(), kShown);
  unknown_.resize(unknown_.size() - more);
  notes_.push_back(fmt::format("{}: unknown and without effect: {}{}", path, join(unknown_, ", "),
                               more > 0 ? fmt::format(" and {} more", more) : ""));
  unknown_.clear();
}

void FolderReader::check_config() {
  if (!config().path.empty()) {
    check_keys(config().root, "tokenizer_config.json", "", config().path, unknown_);
    note_unknown(config().path);
  }
  const JsonFile& map = sources_.special_tokens;
  if (!map.path.empty()) {
    check_keys(map.root, "special_tokens_map.json", "", map.path, unknown_);
    note_unknown(map.path);
  }
}

void FolderReader::read_class() {
  std::string name = string_member(config().root, "tokenizer_class", "", config().path);
  bert_class_ = name.empty() && !has_json();
  if (name.empty()) return;
  const std::string stated = name;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  bert_class_ = contains(kBertClasses, name);
  const bool general = contains(kGeneralClasses, name);
  if (!bert_class_ && !general) {
    fail("{}: tokenizer_class {}; supported: {}, and with a tokenizer.json {}", config().path,
         stated, join(kBertClasses, ", "), join(kGeneralClasses, ", "));
  }
  if (general && !has_json()) {
    fail("{}: tokenizer_class {} needs a tokenizer.json, and the folder has none", config().path,
         stated);
  }
}

Vocabulary FolderReader::read_model_vocabulary() {
  if (!has_json()) return std::move(*sources_.lines);
  const std::string& path = sources_.tokenizer.path;
  const std::vector<std::string> pieces =
      TokenizerJsonReader(path, unknown_).pieces(sources_.tokenizer.root);
  std::string lines;
  for (const std::string& piece : pieces) lines += piece + "\n";
  Vocabulary parsed = Vocabulary::parse(lines, path);
  bool equal = true;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool there = std::cmp_less(i, parsed.size());
    if (there && parsed.piece(static_cast<int32_t>(i)) == pieces[i]) continue;
    if (!there || !is_line(pieces[i])) {
      fail("{}: piece {} starts or ends with white space or contains a line break", path, i);
    }
    equal = false;
  }
  if (equal) return parsed;
  stripped_ = std::move(parsed);
  return Vocabulary::of_pieces(pieces, path);
}

std::optional<int32_t> FolderReader::find(const std::string& content) const {
  if (const auto id = model_->find(content)) return id;
  const auto found = ids_.find(content);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string_view FolderReader::piece(int64_t id) const {
  const int64_t model = model_->size();
  return id < model ? model_->piece(static_cast<int32_t>(id))
                    : std::string_view(appended_.at(static_cast<size_t>(id - model)));
}

/// vocab.txt has the model's pieces, and may have the added tokens behind them.
void FolderReader::check_lines() const {
  if (!has_json() || !sources_.lines) return;
  const Vocabulary& lines = *sources_.lines;
  for (int32_t i = 0; i < std::min(lines.size(), total()); ++i) {
    const bool stripped = stripped_ && i < stripped_->size();
    if (lines.piece(i) == (stripped ? stripped_->piece(i) : piece(i))) continue;
    fail("{}: piece {} is \"{}\", but \"{}\" in {}; the two contradict each other", main_path(), i,
         piece(i), lines.piece(i), lines.name());
  }
  if (lines.size() < model_->size() || lines.size() > total()) {
    fail("{}: {} pieces, but {} has {}; the two contradict each other", main_path(), model_->size(),
         lines.name(), lines.size());
  }
}

Vocabulary FolderReader::take_vocabulary() {
  if (appended_.empty()) return std::move(*model_);
  std::vector<std::string> pieces;
  for (int64_t id = 0; id < total(); ++id) pieces.emplace_back(piece(id));
  return Vocabulary::of_pieces(pieces, model_->name());
}

BertNormalizer FolderReader::configured_normalizer() const {
  BertNormalizer normalizer = {.clean_text = config_flag("clean_text", true),
                               .handle_chinese_chars = config_flag("tokenize_chinese_chars", true),
                               .lowercase = config_flag("do_lower_case", true)};
  if (!member(config().root, "strip_accents").is_null()) {
    normalizer.strip_accents = config_flag("strip_accents", false);
  }
  return normalizer;
}

void FolderReader::read_settings() {
  if (has_json()) {
    const TokenizerJsonReader reader(sources_.tokenizer.path, unknown_);
    settings_ = reader.read(sources_.tokenizer.root);
    note_unknown(sources_.tokenizer.path);
    added_.swap(settings_.added_tokens);
    check_contradictions();
  } else {
    settings_.normalizers = {configured_normalizer()};
    settings_.continuing_prefix =
        string_member(config().root, "wordpieces_prefix", "##", config().path);
  }
  settings_.model_pieces = model_->size();
}

/// What tokenizer_config.json says twice must be what tokenizer.json says.
void FolderReader::check_contradictions() {
  const auto check = [&](const char* key, const char* other, bool value) {
    if (config_flag(key, value) == value) return;
    fail("{}: {} is {}, but {} says {} {}; the two contradict each other", config().path, key,
         !value, sources_.tokenizer.path, other, value);
  };
  check("do_lower_case", "lowercase", settings_.lowers());
  const BertNormalizer* bert = settings_.bert_normalizer();
  if (bert == nullptr) return;
  const bool states_class = !member(config().root, "tokenizer_class").is_null();
  if (!bert->lowercase && bert_class_ && states_class &&
      member(config().root, "do_lower_case").is_null()) {
    notes_.push_back(fmt::format(
        "{}: do_lower_case is missing, and transformers takes lower case then. {} keeps capital "
        "letters, and so does bertha",
        config().path, sources_.tokenizer.path));
  }
  check("strip_accents", "strip_accents", bert->strip_accents.value_or(bert->lowercase));
  check("tokenize_chinese_chars", "handle_chinese_chars", bert->handle_chinese_chars);
  check("clean_text", "clean_text", bert->clean_text);
}

void FolderReader::read_lengths() {
  // Tokenizers without a length have 1e30, or a rounded form of it.
  for (const char* key : {"model_max_length", "max_len"}) {
    const Json& length = member(config().root, key);
    if (length.is_null() || settings_.model_max_length) continue;
    if (!length.is_number()) fail("{}: {} is no number", config().path, key);
    const std::optional<int64_t> number = io::whole_number(length);
    const bool fits = number && *number >= 1 && *number <= INT32_MAX;
    if (fits) settings_.model_max_length = number;
    if (!fits && length.get<double>() < 1) fail("{}: {} is {}", config().path, key, length.dump());
  }
  const bool left = settings_.truncation && settings_.truncation->left;
  const std::string side =
      string_member(config().root, "truncation_side", left ? "left" : "right", config().path);
  if (side != "left" && side != "right") {
    fail("{}: truncation_side is {}; supported: right, left", config().path, side);
  }
  settings_.truncate_left = side == "left";
  if (settings_.truncation && !config().path.empty()) settings_.truncation->left = side == "left";
}

/// The content of a special token as the files state it, or nothing.
std::string FolderReader::role(const char* key) const {
  const JsonFile& map = sources_.special_tokens;
  const std::string stated = content_of(member(config().root, key), key, config().path);
  const std::string mapped = content_of(member(map.root, key), key, map.path);
  if (!stated.empty() && !mapped.empty() && stated != mapped) {
    fail("{}: {} is \"{}\", but \"{}\" in {}; the two contradict each other", config().path, key,
         stated, mapped, map.path);
  }
  return stated.empty() ? mapped : stated;
}

/// Without a statement, the template's first and last special tokens are [CLS] and [SEP].
void FolderReader::name_from_template() {
  const std::vector<TemplatePart>& parts = settings_.sequence.single;
  const auto name = [&](const TemplatePart& part, std::string& to) {
    const bool single = part.kind == TemplatePart::Kind::kSpecial && part.ids.size() == 1;
    if (single && part.ids[0] < total()) to = piece(part.ids[0]);
  };
  if (parts.empty()) return;
  name(parts.front(), settings_.names.cls);
  name(parts.back(), settings_.names.sep);
}

void FolderReader::read_names() {
  SpecialNames& names = settings_.names;
  if (has_json()) name_from_template();
  const auto otherwise = [&](std::string& to, const char* other) {
    if (!find(to) && find(other)) to = other;
  };
  otherwise(names.pad, "<pad>");
  otherwise(names.mask, "<mask>");
  const auto state = [&](std::string& to, const char* key) {
    const std::string stated = role(key);
    if (!stated.empty()) to = stated;
  };
  const std::string unknown = names.unk;
  state(names.unk, "unk_token");
  if (has_json() && unknown != names.unk) {
    fail("{}: unk_token is \"{}\", but \"{}\" in {}; the two contradict each other", config().path,
         names.unk, unknown, sources_.tokenizer.path);
  }
  state(names.pad, "pad_token");
  state(names.cls, "cls_token");
  state(names.sep, "sep_token");
  state(names.mask, "mask_token");
}

/// Adds a token, or checks that it is the one that is there.
void FolderReader::add(AddedToken token, const std::string& path, bool states_flags) {
  const auto known = std::find_if(added_.begin(), added_.end(), [&](const AddedToken& other) {
    return other.content == token.content;
  });
  const std::optional<int32_t> there = find(token.content);
  const int32_t expected = there.value_or(static_cast<int32_t>(total()));
  if (token.id >= 0 && token.id != expected) {
    fail("{}: the added token \"{}\" has the id {}, expected {}", path, token.content, token.id,
         expected);
  }
  token.id = expected;
  if (known != added_.end()) {
    if (states_flags && !(*known == token)) {
      fail("{}: the added token \"{}\" has other properties in {}; the two contradict each other",
           path, token.content, main_path());
    }
    return;
  }
  if (!there) {
    ids_.emplace(token.content, expected);
    appended_.push_back(token.content);
  }
  added_.push_back(std::move(token));
}

void FolderReader::add_by_ids(const std::map<int32_t, AddedToken>& tokens, const std::string& path,
                              bool states_flags) {
  for (const auto& [id, listed] : tokens) {
    AddedToken token = listed;
    token.id = id;
    add(std::move(token), path, states_flags);
  }
}

int32_t id_of_key(const std::string& key, const std::string& path) {
  const bool digits =
      !key.empty() && key.size() <= 9 &&
      std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) fail("{}: added_tokens_decoder has the key \"{}\", expected an id", path, key);
  return std::stoi(key);
}

void FolderReader::collect_added_tokens() {
  std::vector<AddedToken> listed;
  listed.swap(added_);
  std::stable_sort(listed.begin(), listed.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (AddedToken& token : listed) add(std::move(token), main_path(), true);
  const Json& decoder = member(config().root, "added_tokens_decoder");
  if (!decoder.is_null() && !decoder.is_object()) {
    fail("{}: added_tokens_decoder is a {}, expected an object", config().path,
         decoder.type_name());
  }
  const TokenizerJsonReader reader(config().path, unknown_);
  std::map<int32_t, AddedToken> by_id;
  for (const auto& [key, value] : decoder.items()) {
    check_keys(value, "tokenizer.json", "added_tokens", config().path, unknown_);
    by_id[id_of_key(key, config().path)] = reader.added_token(value);
  }
  note_unknown(config().path);
  add_by_ids(by_id, config().path, true);
}

/// added_tokens.json, then the special tokens that are named and were not added before.
void FolderReader::collect_special_tokens() {
  const JsonFile& older = sources_.added_tokens;
  std::set<std::string> special;
  for (const char* key : kRoles) special.insert(role(key));
  std::map<int32_t, AddedToken> by_id;
  for (const auto& [content, id] : older.root.items()) {
    const std::optional<int64_t> number = io::whole_number(id);
    const bool fits = number && *number >= 0 && *number <= INT32_MAX && !content.empty();
    if (!fits) fail("{}: \"{}\" has no id but {}", older.path, content, id.dump());
    const bool is_special = special.contains(content);
    by_id[static_cast<int32_t>(*number)] = {
        .content = content, .normalized = !is_special, .special = is_special};
  }
  add_by_ids(by_id, older.path, false);
  for (const JsonFile* file : {&config(), &std::as_const(sources_.special_tokens)}) {
    const TokenizerJsonReader reader(file->path, unknown_);
    const auto add_token = [&](Json token) {
      if (token.is_null()) return;
      if (token.is_object()) token.erase("id");
      AddedToken made = reader.added_token(token);
      made.special = true;
      made.normalized = token.is_object() && bool_member(token, "normalized", false, file->path);
      add(std::move(made), file->path, false);
    };
    for (const char* key : kRoles) add_token(member(file->root, key));
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const Json& more = member(file->root, key);
      if (!more.is_null() && !more.is_structured()) fail("{}: {} is no list", file->path, key);
      for (const Json& token : more) add_token(token);
    }
  }
  if (!bert_class_) return;
  for (const std::string& name : {settings_.names.unk, settings_.names.sep, settings_.names.pad,
                                  settings_.names.cls, settings_.names.mask}) {
    if (find(name)) add({.content = name}, main_path(), false);
  }
}

void FolderReader::finish_template() {
  if (!has_json()) {
    settings_.sequence = SequenceTemplate::bert(find(settings_.names.cls).value_or(-1),
                                                find(settings_.names.sep).value_or(-1));
  }
  const Json& inputs = array_member(config().root, "model_input_names", config().path);
  const bool one_segment =
      !inputs.empty() && std::find(inputs.begin(), inputs.end(), "token_type_ids") == inputs.end();
  for (auto* parts : {&settings_.sequence.single, &settings_.sequence.pair}) {
    for (TemplatePart& part : *parts) {
      if (one_segment) part.segment = 0;
      for (const int32_t id : part.ids) {
        if (id < total()) continue;
        fail("{}: the post_processor has the id {}, expected one below {}", main_path(), id,
             total());
      }
    }
  }
}

TokenizerFile FolderReader::read() {
  check_config();
  read_class();
  model_ = read_model_vocabulary();
  read_settings();
  read_lengths();
  read_names();
  collect_added_tokens();
  collect_special_tokens();
  check_lines();
  finish_template();
  settings_.added_tokens = std::move(added_);
  std::optional<bool> lower_case;
  const bool stated = member(config().root, "do_lower_case").is_boolean();
  if (has_json() || stated) lower_case = settings_.lowers();
  return {take_vocabulary(), lower_case, std::move(settings_), std::move(notes_)};
}

}  // namespace

TokenizerOptions TokenizerFile::options(bool otherwise, TokenRules rules) const {
  auto chosen = std::make_shared<TokenizerSettings>(settings);
  const bool lower = lower_case.value_or(otherwise);
  if (!lower_case) std::get<BertNormalizer>(chosen->normalizers.at(0)).lowercase = lower;
  return {.lower_case = lower,
          .rules = rules,
          .max_input_chars_per_word = settings.max_input_chars_per_word,
          .settings = std::move(chosen)};
}

TokenizerFile load_tokenizer(const std::string& path) {
  return FolderReader(read_tokenizer_sources(path)).read();
}

TokenizerFile tokenizer_of(Vocabulary lines) {
  TokenizerSources sources;
  sources.lines = std::move(lines);
  return FolderReader(std::move(sources)).read();
}

bool has_tokenizer_file(const std::string& folder) {
  const std::filesystem::path path(folder);
  return io::exists(path / "vocab.txt") || io::exists(path / "tokenizer.json");
}

}  // namespace bertha::text
