#include "tasks/tagging/tagged_sentences.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/strings.h"
#include "tasks/tagging/conll_reader.h"
#include "tasks/tagging/text_lines.h"
#include "text/json_text.h"

namespace bertha::tasks {
namespace {

using Json = nlohmann::json;

constexpr std::array<const char*, 2> kWordKeys = {"tokens", "words"};
constexpr std::array<const char*, 3> kLabelKeys = {"ner_tags", "tags", "labels"};

/// By the ending, without that of a packed file, else by the first line.
bool is_json_lines(std::string_view contents, std::string path) {
  for (const std::string_view packed : {".gz", ".bz2"}) {
    if (path.ends_with(packed)) path.resize(path.size() - packed.size());
  }
  for (const std::string_view ending : {".jsonl", ".json", ".ndjson"}) {
    if (path.ends_with(ending)) return true;
  }
  TextLines lines(contents);
  while (lines.next()) {
    const std::string_view line = lines.line();
    if (!line.empty()) return line.starts_with('{') && line.ends_with('}');
  }
  return false;
}

/// The list under the chosen key, or the first of the usual ones; null where there is none.
const Json* list_of(const Json& object, const std::string& chosen,
                    std::span<const char* const> usual, const std::string& place) {
  const auto list_at = [&](const std::string& key) -> const Json* {
    const auto found = object.find(key);
    if (found == object.end()) return nullptr;
    if (!found->is_array()) fail("{}: \"{}\" is no list", place, key);
    return &*found;
  };
  if (!chosen.empty()) return list_at(chosen);
  for (const char* key : usual) {
    if (const Json* list = list_at(key)) return list;
  }
  return nullptr;
}

std::string word_of(const Json& value, const std::string& place) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
    fail("{}: the word {} is no text", place, value.dump());
  }
  return value.get<std::string>();
}

std::string label_of(const Json& value, const std::string& place) {
  if (value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
  if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
    return value.get<std::string>();
  }
  fail("{}: the label {} is neither text nor a number from 0", place, value.dump());
}

class JsonLines {
 public:
  JsonLines(const TagColumns& columns, TaggedFile& file) : columns_(columns), file_(file) {}

  void take(std::string_view line, int64_t number) {
    const std::string place = fmt::format("{}: line {}", file_.path, number);
    const Json object = text::parse_json_text(line, place).root;
    if (!object.is_object()) fail("{}: expected a JSON object", place);
    const Json* const words = list_of(object, columns_.word, kWordKeys, place);
    if (words == nullptr) {
      fail("{}: no list of words: expected the key {} (--word-column)", place,
           columns_.word.empty() ? "\"tokens\" or \"words\"" : "\"" + columns_.word + "\"");
    }
    TaggedSentence sentence{.lines = {number}};
    for (const Json& word : *words) sentence.words.push_back(word_of(word, place));
    take_labels(list_of(object, columns_.label, kLabelKeys, place), place, sentence);
    file_.sentences.push_back(std::move(sentence));
  }

 private:
  void take_labels(const Json* labels, const std::string& place, TaggedSentence& sentence) {
    const bool first = file_.sentences.empty();
    if (first) file_.labelled = labels != nullptr;
    if (file_.labelled != (labels != nullptr)) {
      fail("{}: {} list of labels, other than in the first line", place,
           labels == nullptr ? "no" : "a");
    }
    if (labels == nullptr) return;
    if (labels->size() != sentence.words.size()) {
      fail("{}: {} words and {} labels", place, sentence.words.size(), labels->size());
    }
    for (const Json& label : *labels) {
      if (!kind_known_) file_.numbered = label.is_number();
      kind_known_ = true;
      if (file_.numbered != label.is_number()) fail("{}: labels as text and as numbers", place);
      sentence.labels.push_back(label_of(label, place));
    }
  }

  const TagColumns& columns_;
  TaggedFile& file_;
  bool kind_known_ = false;  ///< whether labels are numbers
};

/// The rows of a CoNLL text, each with its label.
std::string conll_with_labels(std::string_view contents, const TaggedFile& file,
                              std::span<const std::vector<std::string>> predicted) {
  std::string text;
  TextLines lines(contents);
  const auto copy_up_to = [&](int64_t number) {
    while (lines.next() && lines.number() < number) text.append(lines.line()) += '\n';
  };
  for (size_t s = 0; s < file.sentences.size(); ++s) {
    for (size_t w = 0; w < predicted[s].size(); ++w) {
      copy_up_to(file.sentences[s].lines[w]);
      text.append(lines.line()) += file.separator;
      text.append(predicted[s][w]) += '\n';
    }
  }
  while (lines.next()) text.append(lines.line()) += '\n';
  return text;
}

std::string json_with_labels(std::string_view contents, const TaggedFile& file,
                             std::span<const std::vector<std::string>> predicted) {
  std::string text;
  TextLines lines(contents);
  for (size_t s = 0; s < file.sentences.size(); ++s) {
    while (lines.next() && lines.number() < file.sentences[s].lines[0]) text += '\n';
    std::string_view line = lines.line();
    line.remove_suffix(1);  // the closing brace
    text.append(line).append(", \"predicted_tags\": ").append(Json(predicted[s]).dump()) += "}\n";
  }
  return text;
}

}  // namespace

int64_t TaggedFile::words() const {
  int64_t count = 0;
  for (const TaggedSentence& sentence : sentences) count += std::ssize(sentence.words);
  return count;
}

void TaggedFile::require_labels() const {
  if (labelled) return;
  fail("{}: no labels: expected {}", path,
       format == TagFormat::kConll ? "two columns or more (--label-column)"
                                   : "a list under \"ner_tags\", \"tags\" or \"labels\" "
                                     "(--label-column)");
}

void TaggedFile::name_labels(std::span<const std::string> names) {
  for (TaggedSentence& sentence : sentences) {
    for (std::string& label : sentence.labels) {
      size_t number = 0;
      const char* const end = label.data() + label.size();
      const auto [rest, bad] = std::from_chars(label.data(), end, number);
      if (bad != std::errc() || rest != end || number >= names.size()) {
        fail("{}: line {}: the label {} has no name: {} names are known", path, sentence.lines[0],
             label, names.size());
      }
      label = names[number];
    }
  }
  numbered = false;
}

std::vector<std::string> TaggedFile::label_names() const {
  std::set<std::string> names;
  for (const TaggedSentence& sentence : sentences) {
    names.insert(sentence.labels.begin(), sentence.labels.end());
  }
  return {names.begin(), names.end()};
}

TaggedFile parse_tagged(std::string_view contents, const std::string& path,
                        const TagColumns& columns) {
  TaggedFile file;
  file.path = path;
  if (is_json_lines(contents, path)) {
    file.format = TagFormat::kJsonLines;
    JsonLines reader(columns, file);
    TextLines lines(contents);
    while (lines.next()) {
      if (!lines.line().empty()) reader.take(lines.line(), lines.number());
    }
  } else {
    read_conll(contents, columns, file);
  }
  if (file.words() == 0) fail("{}: no sentence with a word", path);
  return file;
}

std::string with_labels(std::string_view contents, const TaggedFile& file,
                        std::span<const std::vector<std::string>> predicted) {
  BERTHA_CHECK(std::ssize(predicted) == std::ssize(file.sentences));
  return file.format == TagFormat::kConll ? conll_with_labels(contents, file, predicted)
                                          : json_with_labels(contents, file, predicted);
}

}  // namespace bertha::tasks
