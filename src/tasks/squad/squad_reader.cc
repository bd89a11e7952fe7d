#include "tasks/squad/squad_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "io/shallow_json.h"
#include "io/text_file.h"
#include "text/json_text.h"

namespace bertha::tasks {
namespace {

using Json = nlohmann::json;

const Json* find(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const std::string* find_text(const Json& object, const char* name) {
  const Json* found = find(object, name);
  return found == nullptr ? nullptr : found->get_ptr<const std::string*>();
}

/// A question's id: text, or an integer, which predictions and scores write as text.
std::optional<std::string> find_id(const Json& question) {
  const Json* found = find(question, "id");
  if (found == nullptr) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return found->dump();
  return std::nullopt;
}

const Json::array_t* find_list(const Json& object, const char* name) {
  const Json* found = find(object, name);
  return found == nullptr ? nullptr : found->get_ptr<const Json::array_t*>();
}

class Reader {
 public:
  explicit Reader(SquadFile& file) : file_(file) {}

  void read(const Json& root) {
    const Json::array_t* data = find_list(root, "data");
    if (data == nullptr) fail("{}: no list \"data\" at the top: not a SQuAD file", file_.path);
    if (const std::string* version = find_text(root, "version")) file_.version = *version;
    for (article_ = 0; article_ < data->size(); ++article_) read_article((*data)[article_]);
    report_duplicate_ids();
  }

 private:
  void read_article(const Json& article) {
    const Json::array_t* paragraphs = find_list(article, "paragraphs");
    paragraph_ = 0;
    if (paragraphs == nullptr) {
      file_.problems.add("article without a list of paragraphs", fmt::format("data[{}]", article_));
      return;
    }
    for (; paragraph_ < paragraphs->size(); ++paragraph_) {
      read_paragraph((*paragraphs)[paragraph_]);
    }
  }

  void read_paragraph(const Json& paragraph) {
    const std::string* context = find_text(paragraph, "context");
    const Json::array_t* questions = find_list(paragraph, "qas");
    if (context == nullptr || questions == nullptr) {
      file_.problems.add(context == nullptr ? "paragraph without a context"
                                            : "paragraph without a list of questions",
                         paragraph_place());
      return;
    }
    file_.contexts.push_back(*context);
    for (question_ = 0; question_ < questions->size(); ++question_) {
      read_question((*questions)[question_]);
    }
  }

  void read_question(const Json& entry) {
    const std::optional<std::string> id = find_id(entry);
    const std::string* text = find_text(entry, "question");
    if (!id || text == nullptr) {
      file_.problems.add(!id ? "question without an id" : "question without a text",
                         question_place());
      return;
    }
    SquadQuestion question;
    question.id = *id;
    question.text = *text;
    question.paragraph = std::ssize(file_.contexts) - 1;
    const Json* impossible = find(entry, "is_impossible");
    question.impossible =
        impossible != nullptr && impossible->is_boolean() && impossible->get<bool>();
    if (const Json::array_t* answers = find_list(entry, "answers")) {
      for (const Json& answer : *answers) read_answer(answer, question);
    }
    file_.questions.push_back(std::move(question));
  }

  void read_answer(const Json& entry, SquadQuestion& question) {
    const std::string* text = find_text(entry, "text");
    if (text == nullptr) {
      file_.problems.add("answer without a text", question_place());
      return;
    }
    const Json* start = find(entry, "answer_start");
    const auto place = start != nullptr ? io::whole_number(*start) : std::nullopt;
    question.answers.push_back({*text, place.value_or(-1)});
  }

  void report_duplicate_ids() {
    std::vector<std::string_view> ids;
    ids.reserve(file_.questions.size());
    for (const SquadQuestion& question : file_.questions) ids.push_back(question.id);
    std::sort(ids.begin(), ids.end());
    for (size_t i = 1; i < ids.size(); ++i) {
      if (ids[i] == ids[i - 1]) {
        file_.problems.add("question with a duplicate id", std::string(ids[i]));
      }
    }
  }

  std::string paragraph_place() const {
    return fmt::format("data[{}].paragraphs[{}]", article_, paragraph_);
  }
  std::string question_place() const {
    return fmt::format("{}.qas[{}]", paragraph_place(), question_);
  }

  SquadFile& file_;
  size_t article_ = 0;
  size_t paragraph_ = 0;
  size_t question_ = 0;
};

}  // namespace

bool SquadFile::version_2() const {
  return version.starts_with("v2") || version.starts_with("2") ||
         std::any_of(questions.begin(), questions.end(),
                     [](const SquadQuestion& question) { return question.impossible; });
}

SquadFile parse_squad(std::string_view contents, const std::string& path) {
  SquadFile file;
  file.path = path;
  const text::JsonText json = text::parse_json_text(contents, path);
  if (json.repaired > 0) {
    file.problems.add("byte sequence that is not UTF-8, read as U+FFFD",
                      fmt::format("byte {}", json.first_repair), json.repaired);
  }
  Reader(file).read(json.root);
  return file;
}

SquadFile read_squad(const std::string& path) {
  // Bytes that are not UTF-8 are repaired and counted, so that an answer's place stays its place.
  const io::TextFile file(path, io::TextFile::Check::kLater);
  return parse_squad(file.text(), file.path());
}

}  // namespace bertha::tasks
