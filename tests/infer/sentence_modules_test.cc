// Folders of sentence-transformers models of every kind, and their vectors by sentence-transformers
// (fixtures/README.md).

#include "infer/sentence_modules.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "core/error.h"
#include "infer/embed.h"
#include "io/weights/safetensors.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::infer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string fixture(const std::string& name) {
  return test::tests_path("infer/fixtures/" + name);
}

void put_weights(const fs::path& folder, const Json& tensors) {
  std::vector<io::NamedSource> sources;
  std::vector<std::vector<float>> values;
  values.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors.items()) {
    values.push_back(tensor["values"].get<std::vector<float>>());
    sources.push_back({name, DType::kF32, tensor["shape"].get<std::vector<int64_t>>(),
                       [&own = values.back()](const io::ByteSink& sink) {
                         sink(std::as_bytes(std::span(own)));
                       }});
  }
  fs::create_directories(folder);
  io::write_safetensors((folder / "model.safetensors").string(), sources);
}

/// The folder of a variant.
std::string make_folder(const Json& variant, const fs::path& folder) {
  const fs::path encoder = folder / variant["encoder"].get<std::string>();
  fs::create_directories(encoder);
  fs::copy(fixture("sentence_encoder"), encoder);
  for (const auto& [name, text] : variant["files"].items()) {
    test::write_all(folder / name, text.get<std::string>());
  }
  for (const auto& [place, tensors] : variant["weights"].items()) {
    put_weights(folder / place, tensors);
  }
  return folder.string();
}

class SentenceFolders : public testing::Test {
 protected:
  std::string path(const std::string& name) { return folder_.file(name); }

  std::vector<EmbedResult> embed(const std::string& folder, const std::vector<std::string>& texts,
                                 const EmbedChoice& choice) {
    ModelFiles files = find_model(folder);
    const auto modules = read_sentence_modules(files.modules);
    files.lower_case_first = modules->lower_case;
    const auto model = Model::open(files, device_, {.purpose = Purpose::kEmbed});
    EmbedTask task(*model, embed_settings(model->definition(), modules, choice));
    std::vector<EmbedRequest> requests;
    for (const std::string& text : texts) requests.push_back({.text = text});
    return task.run(requests);
  }

  /// A folder with these modules behind the encoder.
  std::string folder_with(const std::string& modules) {
    Json variant = {{"encoder", ""}, {"files", Json::object()}, {"weights", Json::object()}};
    variant["files"]["modules.json"] =
        R"([{"type": "sentence_transformers.models.Transformer", "path": ""})" + modules + "]";
    return make_folder(variant, path("model"));
  }

  std::string error_of(const std::string& folder) {
    try {
      read_sentence_modules(folder);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  test::TemporaryFolder folder_;
  cpu::CpuDevice device_;
};

TEST_F(SentenceFolders, VectorsEqualThoseOfSentenceTransformers) {
  std::ifstream file(fixture("sentence_variants.json"));
  const Json variants = Json::parse(file);
  ASSERT_GT(variants.size(), 100U);
  for (size_t i = 0; i < variants.size(); ++i) {
    const Json& variant = variants[i];
    SCOPED_TRACE(variant["name"].get<std::string>());
    EmbedChoice choice;
    const Json& options = variant["options"];
    if (options.contains("prompt")) choice.prompt = options["prompt"].get<std::string>();
    if (options.contains("prompt_name")) {
      choice.prompt_name = options["prompt_name"].get<std::string>();
    }
    const auto texts = variant["texts"].get<std::vector<std::string>>();
    const auto results = embed(make_folder(variant, path(std::to_string(i))), texts, choice);
    for (size_t t = 0; t < texts.size(); ++t) {
      const auto expected = variant["vectors"][t].get<std::vector<float>>();
      ASSERT_EQ(results[t].vector.size(), expected.size());
      for (size_t k = 0; k < expected.size(); ++k) {
        ASSERT_NEAR(results[t].vector[k], expected[k], 2e-5 * (1 + std::abs(expected[k])));
      }
    }
  }
}

TEST_F(SentenceFolders, DeepNestingIsRefusedBeforeTheModulesAreCopied) {
  const std::string folder =
      folder_with(R"(, {"type": "a.Pooling", "path": "", "x": )" + std::string(100'000, '[') +
                  std::string(100'000, ']') + "}");
  EXPECT_NE(error_of(folder).find("expected a JSON list of objects"), std::string::npos);
  EXPECT_THROW(copy_sentence_modules(folder, path("copy")), Error);
}

TEST_F(SentenceFolders, ChoicesTakePrecedenceOverTheFolder) {
  const std::string folder = folder_with(R"(, {"type": "a.Pooling", "path": "1_Pooling"})");
  test::write_all(path("model/1_Pooling/config.json"), R"({"pooling_mode_cls_token": true})");
  const std::vector<std::string> texts = {"the king rules"};
  const auto plain = embed(folder, texts, {})[0].vector;
  const auto last = embed(folder, texts, {.pooling = {Pooling::kLastToken}})[0].vector;
  const auto unit = embed(folder, texts, {.normalize = true})[0].vector;
  EXPECT_NE(plain, last);
  double square = 0;
  for (const float value : unit) square += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(square, 1, 1e-5);
  const auto two =
      embed(folder, texts, {.pooling = {Pooling::kLastToken, Pooling::kCls}})[0].vector;
  ASSERT_EQ(two.size(), 32U);
  EXPECT_EQ(std::vector<float>(two.begin(), two.begin() + 16), last);
  EXPECT_EQ(std::vector<float>(two.begin() + 16, two.end()), plain);
}

TEST_F(SentenceFolders, PlainEncoderGetsMeanOfUnitLength) {
  const ModelFiles files = find_model(fixture("sentence_encoder"));
  EXPECT_TRUE(files.modules.empty());
  const ModelDefinition definition(files);
  const EmbedSettings settings = embed_settings(definition, std::nullopt);
  EXPECT_EQ(settings.pooling, std::vector<Pooling>{Pooling::kMean});
  EXPECT_EQ(settings.layers.size(), 1U);
  EXPECT_EQ(settings.max_tokens, 24);
  EXPECT_EQ(vector_size(settings, definition.config()), 16);
}

TEST_F(SentenceFolders, UnsupportedModuleIsRefusedByName) {
  const std::string folder = folder_with(
      R"(, {"type": "a.Pooling", "path": "1_Pooling"}, {"type": "a.LSTM", "path": ""})");
  EXPECT_NE(error_of(folder).find("a.LSTM is not supported; supported: Pooling, Dense"),
            std::string::npos)
      << error_of(folder);
}

TEST_F(SentenceFolders, EncoderWithoutPoolingIsRefused) {
  EXPECT_NE(error_of(folder_with("")).find("no Pooling module"), std::string::npos);
}

TEST_F(SentenceFolders, FolderOutsideTheModelIsRefused) {
  const std::string folder = folder_with(R"(, {"type": "a.Pooling", "path": "../other"})");
  EXPECT_NE(error_of(folder).find("\"path\" is \"../other\""), std::string::npos);
}

TEST_F(SentenceFolders, UnknownPoolingIsRefusedWithTheSupportedOnes) {
  const std::string folder = folder_with(R"(, {"type": "a.Pooling", "path": "p"})");
  test::write_all(path("model/p/config.json"), R"({"pooling_mode": "attention"})");
  EXPECT_NE(error_of(folder).find("\"attention\", which is not supported; supported: cls, max"),
            std::string::npos)
      << error_of(folder);
}

TEST_F(SentenceFolders, UnknownKeyIsNoted) {
  const std::string folder = folder_with(R"(, {"type": "a.Pooling", "path": "p"})");
  test::write_all(path("model/p/config.json"), R"({"pooling_mode": "cls", "colour": 1})");
  const auto modules = read_sentence_modules(folder);
  ASSERT_EQ(modules->notes.size(), 1U);
  EXPECT_NE(modules->notes[0].find("not known and ignored: colour"), std::string::npos);
}

TEST_F(SentenceFolders, DenseOfAnotherSizeIsRefused) {
  const std::string folder =
      folder_with(R"(, {"type": "a.Pooling", "path": "p"}, {"type": "a.Dense", "path": "d"})");
  test::write_all(path("model/d/config.json"),
                  R"({"in_features": 2, "out_features": 1, "bias": false})");
  put_weights(path("model/d"), {{"linear.weight", {{"shape", {1, 2}}, {"values", {0.5, 0.25}}}}});
  EXPECT_THROW(embed(folder, {"the king"}, {}), Error);
  test::write_all(path("model/d/config.json"),
                  R"({"in_features": 3, "out_features": 1, "bias": false})");
  EXPECT_NE(error_of(folder).find("linear.weight is [1, 2], expected [1, 3]"), std::string::npos)
      << error_of(folder);
}

TEST_F(SentenceFolders, UnknownPromptNameListsThePrompts) {
  const std::string folder = folder_with(R"(, {"type": "a.Pooling", "path": "p"})");
  test::write_all(path("model/config_sentence_transformers.json"),
                  R"({"prompts": {"query": "q "}})");
  try {
    embed(folder, {"the king"}, {.prompt_name = "document"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no prompt \"document\"; its prompts: query"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace bertha::infer
