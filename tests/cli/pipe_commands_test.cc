// Commands between pipes, run as a user runs them: texts from standard input, JSON lines out with
// the fields that came in, and outputs that exist.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"
#include "infer/tiny_models.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::cli {
namespace {

using nlohmann::ordered_json;
using test::Outcome;

const std::string kFixtures = test::tests_path("infer/fixtures/");

class PipeCommands : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.file(name); }

  /// Runs the program with `input` as its standard input.
  Outcome run(const std::vector<std::string>& arguments, const std::string& input = "") const {
    test::write_all(path("input"), input);
    const std::string out = path("standard_output");
    const std::string error = path("standard_error");
    const pid_t child = test::start_program(arguments, out, error, {.input = path("input")});
    return test::wait_for_program(child, out, error);
  }
  /// The JSON lines that a command prints; it must end with status 0.
  std::vector<ordered_json> lines_of(const std::vector<std::string>& arguments,
                                     const std::string& input = "") const {
    const Outcome outcome = run(arguments, input);
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    std::vector<ordered_json> lines;
    std::istringstream text(outcome.printed);
    for (std::string line; std::getline(text, line);) lines.push_back(ordered_json::parse(line));
    return lines;
  }
  static std::vector<std::string> model(const std::string& command, const std::string& folder,
                                        const std::vector<std::string>& more) {
    std::vector<std::string> words = {command, "--checkpoint", kFixtures + "encoders/" + folder,
                                      "--vocab-file", kFixtures + "encoders/vocab.txt"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

 private:
  test::TemporaryFolder folder_;
};

const std::string kRecords =
    "{\"id\": 7, \"text\": \"the king rules\", \"more\": [1, {\"a\": null}]}\n"
    "\n"
    "{\"text\": \"a ship sails\", \"id\": \"x\"}\n";

TEST_F(PipeCommands, ClassifyKeepsTheFieldsAndGivesAllProbabilities) {
  const auto lines = lines_of(
      model("classify", "single_label_classification", {"--max-seq-length=16", "-", "--json"}),
      kRecords);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].dump().substr(0, 60),
            R"({"id":7,"text":"the king rules","more":[1,{"a":null}],"label)");
  double sum = 0;
  double best = 0;
  for (const auto& [label, probability] : lines[0]["scores"].items()) {
    sum += probability.get<double>();
    best = std::max(best, probability.get<double>());
  }
  EXPECT_EQ(lines[0]["scores"].size(), 3U);
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_EQ(lines[0]["score"], best);
  EXPECT_EQ(lines[0]["scores"][lines[0]["label"].get<std::string>()], best);
  EXPECT_EQ(lines[1]["id"], "x");
}

TEST_F(PipeCommands, ClassifyTakesTextsOfTheCommandLine) {
  const auto typed = model("classify", "multi_label_classification",
                           {"--max-seq-length=16", "the king rules", "a ship sails"});
  const Outcome outcome = run(typed);
  EXPECT_EQ(outcome.status, 0) << outcome.said;
  EXPECT_EQ(std::count(outcome.printed.begin(), outcome.printed.end(), '\n'), 2);
  EXPECT_TRUE(outcome.printed.ends_with("\ta ship sails\n")) << outcome.printed;
  const auto lines = lines_of(model("classify", "multi_label_classification",
                                    {"--max-seq-length=16", "the king rules", "--json"}));
  for (const auto& [label, probability] : lines[0]["scores"].items()) {
    const bool holds = std::ranges::count(lines[0]["labels"], ordered_json(label)) > 0;
    EXPECT_EQ(holds, probability.get<double>() >= 0.5) << label;
  }
}

TEST_F(PipeCommands, FillPrintsAnObjectForEachText) {
  const auto lines = lines_of(model("fill", "bert-ForMaskedLM", {"-", "--json", "--top=2"}),
                              "the [MASK] rules\na [MASK] [MASK]\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["text"], "the [MASK] rules");
  EXPECT_EQ(lines[0]["masks"].size(), 1U);
  EXPECT_EQ(lines[1]["masks"].size(), 2U);
  const ordered_json& best = lines[0]["masks"][0][0];
  EXPECT_EQ(best["sequence"], "the " + best["token_str"].get<std::string>() + " rules");
  EXPECT_GE(best["score"], lines[0]["masks"][0][1]["score"]);
}

TEST_F(PipeCommands, AskTakesQuestionsOfAFileAndAPassageOfAPipe) {
  const std::string passage = "the king rules the land";
  test::write_all(path("questions.jsonl"),
                  "{\"id\": 1, \"question\": \"the king\"}\n"
                  "{\"id\": 2, \"question\": \"a ship\", \"context\": \"a ship sails\"}\n");
  const auto lines =
      lines_of(model("ask", "bert-ForQuestionAnswering",
                     {"--question-file", path("questions.jsonl"), "--json", "--top=2"}),
               passage);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["id"], 1);
  EXPECT_EQ(lines[0]["answers"].size(), 2U);
  for (const ordered_json& line : lines) {
    const std::string text = line.value("context", passage);
    for (const ordered_json& answer : line["answers"]) {
      const auto begin = answer["start"].get<size_t>();
      EXPECT_EQ(answer["answer"], text.substr(begin, answer["end"].get<size_t>() - begin));
    }
  }
  // The same for a question and a passage of the command line.
  const auto typed =
      lines_of(model("ask", "bert-ForQuestionAnswering",
                     {"--question", "the king", "--passage", passage, "--json", "--top=2"}));
  EXPECT_EQ(typed[0]["answers"], lines[0]["answers"]);
}

TEST_F(PipeCommands, EmbedKeepsTheFieldsAndFindsTheNearest) {
  const std::string text_of_each = "the king rules\na ship sails\nthe land\n";
  const auto vectors = lines_of(model("embed", "bert-Model", {}), text_of_each);
  const auto objects = lines_of(model("embed", "bert-Model", {"--json"}), kRecords);
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0]["id"], 7);
  EXPECT_EQ(objects[0]["embedding"], vectors[0]);
  EXPECT_EQ(objects[1]["embedding"], vectors[1]);
  const auto near = lines_of(
      model("embed", "bert-Model", {"--json", "--query", "a ship sails", "--top=2"}), text_of_each);
  ASSERT_EQ(near.size(), 1U);
  EXPECT_EQ(near[0]["query"], "a ship sails");
  ASSERT_EQ(near[0]["nearest"].size(), 2U);
  EXPECT_EQ(near[0]["nearest"][0]["text"], "a ship sails");
  EXPECT_EQ(near[0]["nearest"][0]["line"], 2);
  EXPECT_NEAR(near[0]["nearest"][0]["score"].get<double>(), 1, 1e-6);
  double other = -1;
  for (const size_t i : {size_t{0}, size_t{2}}) {
    double cosine = 0;  // of vectors of length 1
    for (size_t d = 0; d < vectors[i].size(); ++d) {
      cosine += vectors[i][d].get<double>() * vectors[1][d].get<double>();
    }
    other = std::max(other, cosine);
  }
  EXPECT_NEAR(near[0]["nearest"][1]["score"].get<double>(), other, 1e-6);
}

TEST_F(PipeCommands, TokenizeAndScoreSpeakJson) {
  const auto lines =
      lines_of({"tokenize", "--vocab-file", kFixtures + "encoders/vocab.txt", "--json"},
               "{\"id\": 3, \"text\": \"the king\"}\nthe king\n");
  EXPECT_EQ(lines[0]["id"], 3);
  EXPECT_EQ(lines[0]["tokens"].size(), 2U);
  EXPECT_EQ(lines[1]["text"], "the king");
  EXPECT_EQ(lines[1]["ids"], lines[0]["ids"]);
  const std::string gold = test::tests_path("tasks/fixtures/squad/small.json");
  const auto scores = lines_of({"squad", "score", gold, "-", "--json"}, "{\"a1\": \"x\"}");
  ASSERT_EQ(scores.size(), 1U);
  EXPECT_EQ(scores[0]["exact_match"], 0.0);
  EXPECT_EQ(scores[0]["unanswered"].get<int64_t>() + 1, scores[0]["total"].get<int64_t>());
}

TEST_F(PipeCommands, WrongLinesOfAPipeAreNamed) {
  const auto embed = model("embed", "bert-Model", {});
  test::expect_one_error(run(embed, "{\"text\": \"a\"}\n{\"texts\": \"b\"}\n"),
                         {"standard input: line 2: expected a JSON string"});
  test::expect_one_error(run(embed, "a\nna\xEFve\n"), {"standard input", "byte 4", "UTF-8"});
  const std::string deep = "{\"text\": \"a\", \"b\": " + std::string(100000, '[');
  test::expect_one_error(run(embed, "{\"text\": \"a\"}\n" + deep + "\n"), {"line 2"});
}

TEST_F(PipeCommands, OutputsThatExistAndInputsAreKept) {
  test::write_all(path("texts.txt"), "the king\n");
  const auto embed = [&](const std::string& output, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"--input", path("texts.txt"), "--output", output};
    words.insert(words.end(), more.begin(), more.end());
    return model("embed", "bert-Model", words);
  };
  test::expect_one_error(run(embed(path("texts.txt"), {"--overwrite"})), {"texts.txt", "input"});
  EXPECT_EQ(test::read_all(path("texts.txt")), "the king\n");
  EXPECT_EQ(run(embed(path("vectors.jsonl"), {})).status, 0);
  const std::string first = test::read_all(path("vectors.jsonl"));
  test::expect_one_error(run(embed(path("vectors.jsonl"), {})), {"it exists", "--overwrite"});
  EXPECT_EQ(run(embed(path("vectors.jsonl"), {"--overwrite"})).status, 0);
  EXPECT_EQ(test::read_all(path("vectors.jsonl")), first);
  const std::vector<std::string> convert = {"convert", kFixtures + "encoders/bert-Model",
                                            path("model.pt"), "--vocab-file",
                                            kFixtures + "encoders/vocab.txt"};
  EXPECT_EQ(run(convert).status, 0);
  test::expect_one_error(run(convert), {"model.pt: it exists", "--overwrite"});
}

TEST_F(PipeCommands, AnEmptyQuestionIsAnError) {
  const Outcome outcome =
      run(model("ask", "bert-ForQuestionAnswering", {"--question", " "}), "the king");
  test::expect_one_error(outcome, {"--question: the question is empty"});
}

TEST_F(PipeCommands, TheNameOfPublishedWeightsNamesTheirDownload) {
  for (const char* command : {"fill", "embed"}) {
    test::expect_one_error(
        run({command, "--checkpoint=bert-base-uncased", "--input=-"}, "the [MASK]"),
        {"bertha download bert-base-uncased", "uncased_L-12_H-768_A-12"});
  }
}

TEST_F(PipeCommands, ACommandNamesTheProgramsVersion) {
  for (const char* word : {"--version", "-V"}) {
    const Outcome outcome = run({"fill", word});
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    EXPECT_EQ(outcome.printed, run({"version"}).printed);
  }
}

TEST_F(PipeCommands, AbsentLibraryOfGaudiIsOneLine) {
  setenv("BERTHA_LIBSYNAPSE", "/nowhere/libSynapse.so", 1);
  test::expect_one_error(run(model("fill", "bert-ForMaskedLM", {"--device=gaudi", "a [MASK]"})),
                         {"--device gaudi", "SynapseAI cannot be used", "/nowhere/libSynapse.so"});
  unsetenv("BERTHA_LIBSYNAPSE");
}

}  // namespace
}  // namespace bertha::cli
