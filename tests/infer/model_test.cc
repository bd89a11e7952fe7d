// Opening models of every format, and the policy for tensors that the weights lack.

#include "infer/model.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "infer/tiny_models.h"
#include "io/byte_order.h"
#include "text/tokenizer_export.h"

namespace bertha::infer {
namespace {

namespace fs = std::filesystem;
using test::TinyFormat;

const std::string kEncoder = test::tests_path("cli/fixtures/tiny_encoder");
constexpr bert::Heads kAnswerHeads = {.question_answering = true};

class ModelTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.file(name); }
  OpenOptions warning(Purpose purpose) {
    return {.purpose = purpose,
            .on_missing = [this](const std::string& line) { warnings_.push_back(line); }};
  }
  /// The line of the Error with which opening must fail.
  std::string error_of(const ModelFiles& files, const OpenOptions& options) {
    try {
      Model::open(files, device_, options);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  std::vector<float> values(const Model& model, const std::string& name) const {
    const bert::ParameterTable& table = model.parameters().table();
    const int index = table.find(name);
    EXPECT_GE(index, 0) << name;
    std::vector<float> result(static_cast<size_t>(table[index].size()));
    model.parameters().read(index, result.data());
    return result;
  }
  /// The tiny encoder with one more layer in its config than in its weights.
  std::string without_a_layer() const {
    fs::copy(kEncoder, path("short"));
    auto config = nlohmann::json::parse(test::read_all(path("short/config.json")));
    config["num_hidden_layers"] = 3;
    test::write_all(path("short/config.json"), config.dump());
    return path("short");
  }

  cpu::CpuDevice device_;
  std::vector<std::string> warnings_;
  test::TemporaryFolder folder_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(ModelTest, HuggingFaceFolderIsOpened) {
  const auto model = Model::open({.weights = kEncoder}, device_, {.purpose = Purpose::kEmbed});
  EXPECT_EQ(model->config().hidden_size, 16);
  EXPECT_EQ(model->config().vocab_size, 120) << "padded";
  EXPECT_EQ(model->definition().vocabulary().size(), 116);
  EXPECT_EQ(model->report().weights.path, kEncoder);
  EXPECT_EQ(model->report().weights.loaded, std::ssize(model->parameters().table().parameters()));
  EXPECT_TRUE(model->report().missing.empty());
}

TEST_F(ModelTest, WeightFileTakesItsConfigAndVocabularyFromBesideIt) {
  const auto model =
      Model::open({.weights = kEncoder + "/model.safetensors"}, device_, OpenOptions{});
  EXPECT_TRUE(model->report().missing.empty());
}

TEST_F(ModelTest, RecipeCheckpointAndHuggingFaceFolderGiveTheSameModel) {
  test::write_tiny_model(path("hf"), kAnswerHeads, bert::ModelClass::kQuestionAnswering);
  test::write_tiny_model(path("pt"), kAnswerHeads, bert::ModelClass::kQuestionAnswering,
                         TinyFormat::kRecipe);
  const auto hf = Model::open({.weights = path("hf")}, device_, {.purpose = Purpose::kAnswer});
  const auto pt = Model::open({.weights = path("pt/pytorch_model.bin")}, device_,
                              {.purpose = Purpose::kAnswer});
  for (const char* name : {"qa_outputs.weight", "bert.embeddings.position_embeddings.weight",
                           "bert.encoder.layer.0.output.dense.bias"}) {
    EXPECT_EQ(values(*hf, name), values(*pt, name)) << name;
  }
}

TEST_F(ModelTest, TensorFlowCheckpointIsOpened) {
  const std::string folder = test::real_data("checkpoints/keras-bert-toy-ckpt");
  if (folder.empty()) GTEST_SKIP() << "no real data";
  const auto model =
      Model::open({.weights = folder + "/bert_model.ckpt"}, device_, {.purpose = Purpose::kFill});
  EXPECT_TRUE(model->report().missing.empty());
}

TEST_F(ModelTest, FilesThatAreNamedWinOverThoseBesideTheWeights) {
  fs::copy(kEncoder + "/model.safetensors", path("model.safetensors"));
  const auto model = Model::open({.weights = path("model.safetensors"),
                                  .config = kEncoder + "/config.json",
                                  .vocabulary = kEncoder + "/vocab.txt"},
                                 device_, OpenOptions{});
  EXPECT_EQ(model->config().hidden_size, 16);
}

TEST_F(ModelTest, MissingConfigOrVocabularyIsNamed) {
  fs::copy(kEncoder + "/model.safetensors", path("model.safetensors"));
  const ModelFiles files = {.weights = path("model.safetensors")};
  EXPECT_FALSE(has_tokenizer(files));
  EXPECT_TRUE(contains(error_of(files, {}), "config.json beside it; name one with --config-file"));
  fs::copy(kEncoder + "/config.json", path("config.json"));
  EXPECT_TRUE(
      contains(error_of(files, {}), "tokenizer.json beside it; name one with --vocab-file"));
}

TEST_F(ModelTest, TokenTypesBeyondTheModelsTableAreRefused) {
  fs::copy(kEncoder, path("types"));
  const text::TokenizerFile file = text::load_tokenizer(kEncoder);
  auto tokenizer = nlohmann::json::parse(text::tokenizer_json(file.vocabulary, file.options(true)));
  const auto open_with_type = [&](int type) {
    tokenizer["post_processor"]["pair"][3]["Sequence"]["type_id"] = type;
    test::write_all(path("types/tokenizer.json"), tokenizer.dump());
    return find_model(path("types"));
  };
  Model::open(open_with_type(1), device_, OpenOptions{});
  EXPECT_TRUE(contains(error_of(open_with_type(2), {}), "token type 2"));
}

TEST_F(ModelTest, FileOfAnotherProgramIsRefusedByName) {
  const std::string file = test::tests_path("io/data/zip_protocol4.pt");
  const std::string what = error_of(
      {.weights = file, .config = kEncoder + "/config.json", .vocabulary = kEncoder + "/vocab.txt"},
      {});
  EXPECT_TRUE(contains(what, "zip_protocol4.pt")) << what;
}

TEST_F(ModelTest, VocabularyLargerThanTheModelIsRefused) {
  std::string vocabulary = test::read_all(kEncoder + "/vocab.txt");
  for (int i = 0; i < 5; ++i) vocabulary += "piece" + std::to_string(i) + "\n";
  test::write_all(path("vocab.txt"), vocabulary);
  const std::string what = error_of({.weights = kEncoder, .vocabulary = path("vocab.txt")}, {});
  EXPECT_TRUE(contains(what, "121 pieces, the model's config says vocab_size 120")) << what;
}

TEST_F(ModelTest, VocabularySmallerThanTheModelByMoreThanPaddingIsRefused) {
  const auto check = [](int64_t pieces, int64_t rows) {
    std::string lines;
    for (int64_t i = 0; i < pieces; ++i) lines += "piece" + std::to_string(i) + "\n";
    check_vocabulary(text::Vocabulary::parse(lines, "v.txt"), {.vocab_size = rows});
  };
  EXPECT_NO_THROW(check(100, 104));
  EXPECT_NO_THROW(check(100, 128));
  EXPECT_NO_THROW(check(129, 256));
  EXPECT_THROW(check(100, 136), Error);
  EXPECT_THROW(check(129, 264), Error);
}

TEST_F(ModelTest, CasingIsTheFoldersElseTheOptionsElseLower) {
  fs::copy(kEncoder, path("m"));
  const auto lower = [&](std::optional<bool> option) {
    return ModelDefinition({.weights = path("m"), .lower_case = option})
        .tokenizer()
        .options()
        .lower_case;
  };
  EXPECT_TRUE(lower({}));
  EXPECT_FALSE(lower(false));
  test::write_all(path("m/tokenizer_config.json"), R"({"do_lower_case": false})");
  EXPECT_FALSE(lower({}));
  EXPECT_FALSE(lower(true)) << "a warning is logged";
}

TEST_F(ModelTest, LabelsAreTheLinesOfTheFileBesideTheWeights) {
  test::write_all(path("m/labels.txt"), "no\nyes\n");
  EXPECT_EQ(read_labels({.weights = path("m")}, {}), (std::vector<std::string>{"no", "yes"}));
  EXPECT_EQ(read_labels({.weights = path("m/model.safetensors")}, {}).size(), 2U);
}

TEST_F(ModelTest, LabelsOfOtherSystemsAreReadAndEmptyOnesNamed) {
  const auto error_of_labels = [&](const std::string& text) -> std::string {
    test::write_all(path("m/labels.txt"), text);
    try {
      read_labels({.weights = path("m")}, {});
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  test::write_all(path("m/labels.txt"), "\xEF\xBB\xBFno\r\nyes\r\n");
  EXPECT_EQ(read_labels({.weights = path("m")}, {}), (std::vector<std::string>{"no", "yes"}));
  EXPECT_TRUE(contains(error_of_labels("no\n\nyes\n"), "labels.txt: line 2: no label"));
  EXPECT_TRUE(contains(error_of_labels(""), "labels.txt: it names no label"));
  EXPECT_TRUE(contains(error_of_labels("no\nna\xEFve\n"), "byte 5 is not UTF-8"));
}

// transformers leaves two classes without names out of config.json.
TEST_F(ModelTest, LabelsThatNoFileNamesAreTheTwoOfTransformers) {
  const std::vector<std::string> usual = {"LABEL_0", "LABEL_1"};
  EXPECT_EQ(read_labels({.weights = path("m")}, {}), usual);
  EXPECT_EQ(read_labels({.weights = path("m")}, {.architecture = "BertForSequenceClassification"}),
            usual);
  EXPECT_THROW(read_labels({.weights = path("m")}, {.architecture = "BertForMaskedLM"}), Error);
}

TEST_F(ModelTest, MissingHeadIsAnErrorByDefault) {
  EXPECT_TRUE(contains(error_of({.weights = kEncoder}, {.purpose = Purpose::kAnswer}),
                       "tiny_encoder has no question answering head; fine-tune it first"));
  EXPECT_TRUE(contains(error_of({.weights = kEncoder}, {.purpose = Purpose::kFill}),
                       "tiny_encoder has no masked language model head"));
  EXPECT_TRUE(
      contains(error_of({.weights = kEncoder}, {.purpose = Purpose::kClassify, .classes = 2}),
               "tiny_encoder has no classification head"));
}

TEST_F(ModelTest, MissingHeadIsAWarningWhereTheCallerTakesWarnings) {
  const auto model = Model::open({.weights = kEncoder}, device_, warning(Purpose::kAnswer));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_TRUE(contains(warnings_[0], "has no question answering head: the answers are random"));
  EXPECT_TRUE(model->report().head_missing);
  EXPECT_EQ(model->report().missing,
            (std::vector<std::string>{"qa_outputs.weight", "qa_outputs.bias"}));
}

TEST_F(ModelTest, MissingEncoderTensorIsAnErrorByDefault) {
  const std::string what = error_of({.weights = without_a_layer()}, OpenOptions{});
  EXPECT_TRUE(contains(what, "bert.encoder.layer.2.attention.self.query.weight")) << what;
  EXPECT_TRUE(contains(what, "and 13 more is missing")) << what;
}

TEST_F(ModelTest, MissingEncoderTensorIsAWarningWhereTheCallerTakesWarnings) {
  const auto model = Model::open({.weights = without_a_layer()}, device_, warning(Purpose::kEmbed));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_TRUE(contains(warnings_[0], "gets random values"));
  EXPECT_EQ(model->report().missing.size(), 16U);
  EXPECT_FALSE(model->report().head_missing);
}

TEST_F(ModelTest, LayersThatTheConfigDoesNotHaveAreAWarning) {
  fs::copy(kEncoder, path("long"));
  auto config = nlohmann::json::parse(test::read_all(path("long/config.json")));
  ASSERT_EQ(config.at("num_hidden_layers"), 2);
  EXPECT_TRUE(
      Model::open({.weights = path("long")}, device_, {})->report().weights.warnings().empty());
  config["num_hidden_layers"] = 1;
  test::write_all(path("long/config.json"), config.dump());
  const auto lines =
      Model::open({.weights = path("long")}, device_, {})->report().weights.warnings();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(contains(lines[0], "it has 2 layers, and the config says num_hidden_layers 1"))
      << lines[0];
}

TEST_F(ModelTest, ElementsThatAreNotFiniteAreAWarning) {
  for (const uint32_t bits : {0x7f800000U, 0xff800000U, 0x7fc00000U, 0x7f7fffffU}) {
    const std::string folder = path(std::to_string(bits));
    fs::copy(kEncoder, folder);
    std::string bytes = test::read_all(folder + "/model.safetensors");
    const auto header = io::load<uint64_t>(reinterpret_cast<const std::byte*>(bytes.data()));
    const auto entries = nlohmann::json::parse(bytes.substr(8, header));
    const std::string name = "encoder.layer.1.output.dense.weight";
    const auto& entry = entries.contains(name) ? entries[name] : entries.at("bert." + name);
    const auto last = entry.at("data_offsets").at(1).get<size_t>() - sizeof(bits);
    std::memcpy(bytes.data() + 8 + header + last, &bits, sizeof(bits));
    test::write_all(folder + "/model.safetensors", bytes);
    const auto lines = Model::open({.weights = folder}, device_, {})->report().weights.warnings();
    ASSERT_EQ(lines.size(), bits == 0x7f7fffffU ? 0U : 1U) << bits;
    if (lines.empty()) continue;
    EXPECT_TRUE(contains(lines[0], "NaN or infinite elements in bert." + name + ";")) << lines[0];
  }
}

TEST_F(ModelTest, TrainingStartsAHeadAfreshWithoutAWarning) {
  OpenOptions options = warning(Purpose::kAnswer);
  options.trainable = true;
  const auto model = Model::open({.weights = kEncoder}, device_, options);
  EXPECT_TRUE(warnings_.empty());
  EXPECT_TRUE(model->report().missing.empty());
  EXPECT_EQ(model->report().weights.fresh.size(), 2U);
  EXPECT_NO_THROW(model->parameters().flat_gradients());
}

TEST_F(ModelTest, TrainingDoesNotExcuseAMissingEncoderTensor) {
  const std::string what =
      error_of({.weights = without_a_layer()}, {.purpose = Purpose::kAnswer, .trainable = true});
  EXPECT_TRUE(contains(what, "bert.encoder.layer.2")) << what;
}

TEST_F(ModelTest, TensorThatThePurposeDoesNotNeedMayBeMissing) {
  // A question answering model of Hugging Face has no pooler, a language model no next sentence
  // head.
  test::write_tiny_model(path("qa"), kAnswerHeads, bert::ModelClass::kQuestionAnswering);
  const auto answer = Model::open({.weights = path("qa")}, device_, {.purpose = Purpose::kAnswer});
  EXPECT_FALSE(answer->report().weights.fresh.empty());
  EXPECT_TRUE(answer->report().missing.empty());
  test::write_tiny_model(path("mlm"), bert::Heads::for_pretraining(),
                         bert::ModelClass::kMaskedLanguageModel);
  const auto fill = Model::open({.weights = path("mlm")}, device_, {.purpose = Purpose::kFill});
  EXPECT_FALSE(fill->report().weights.fresh.empty());
  EXPECT_TRUE(fill->report().missing.empty());
}

TEST_F(ModelTest, ClassifierNeedsItsPooler) {
  test::write_tiny_model(path("qa"), kAnswerHeads, bert::ModelClass::kQuestionAnswering);
  OpenOptions options = warning(Purpose::kClassify);
  options.classes = 3;
  const auto model = Model::open({.weights = path("qa")}, device_, options);
  EXPECT_EQ(warnings_.size(), 2U) << "the pooler and the classifier";
  EXPECT_EQ(model->report().missing.size(), 4U);
}

}  // namespace
}  // namespace bertha::infer
