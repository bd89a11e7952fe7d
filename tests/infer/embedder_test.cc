// Sentence vectors of all-MiniLM-L6-v2 against transformers 5 on PyTorch 2 (attention "eager",
// f32, at most 128 tokens), and what does not depend on the model.

#include "infer/embedder.h"

#include <gtest/gtest.h>

#include <optional>

#include "backend/cpu/cpu_device.h"
#include "bert/weights.h"
#include "support/files.h"
#include "text/tokenizer_file.h"

namespace bertha::infer {
namespace {

class MiniLm : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = test::real_data("checkpoints/all-MiniLM-L6-v2");
    if (folder.empty()) GTEST_SKIP() << "no real data";
    config_ = bert::load_config(folder + "/config.json").padded();
    file_.emplace(text::load_tokenizer(folder + "/tokenizer.json"));
    tokenizer_.emplace(file_->vocabulary, text::TokenizerOptions());
    store_.emplace(device_, config_, bert::Heads{.pooler = false}, DType::kF32, false);
    bert::load_weights(folder, *store_, {.config = config_});
  }
  Embedder embedder(const EmbedSettings& settings) {
    return Embedder(device_, config_, *store_, *tokenizer_, settings);
  }

  cpu::CpuDevice device_;
  bert::Config config_;
  std::optional<text::TokenizerFile> file_;
  std::optional<text::Tokenizer> tokenizer_;
  std::optional<bert::ParameterStore> store_;
};

std::string long_line() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "A long line, ";
  return text;
}

const std::vector<std::string> kTexts = {"A man is eating food.", "", "Über die Brücke – 漢字!",
                                         long_line()};
constexpr float kMean[4][6] = {
    {0.033241559F, 0.0044060564F, -0.0062769819F, 0.048378747F, -0.13870218F, -0.033617385F},
    {-0.11883847F, 0.048298731F, -0.0025480757F, -0.011011153F, 0.051950797F, 0.010291759F},
    {-0.0087084044F, 0.075084701F, 0.0001878695F, -0.034482725F, -0.024521733F, 0.045949105F},
    {-0.011104717F, -0.05534425F, 0.018558703F, -0.061504379F, -0.09861441F, 0.061136775F}};
constexpr float kCls[4][3] = {{-0.0025503619F, 0.11769734F, 0.003737807F},
                              {0.0060437401F, 0.0276895F, 0.031541899F},
                              {0.22574601F, 0.013940844F, -0.1249667F},
                              {-0.25867647F, 0.029640241F, -0.17547312F}};

TEST_F(MiniLm, MeanIsPyTorchs) {
  Embedder embedder = this->embedder({.max_tokens = 128});  // the last text is cut, as there
  const std::vector<float> rows = embedder.embed(kTexts);
  for (size_t text = 0; text < kTexts.size(); ++text) {
    const float* row = rows.data() + text * 384;
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(row[i], kMean[text][i], 1e-5) << text;
    double square = 0;
    for (size_t i = 0; i < 384; ++i) {
      square += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    }
    EXPECT_NEAR(square, 1, 1e-5);
  }
}

TEST_F(MiniLm, ClsIsPyTorchs) {
  Embedder embedder =
      this->embedder({.pooling = Pooling::kCls, .normalize = false, .max_tokens = 128});
  const std::vector<float> rows = embedder.embed(kTexts);
  for (size_t text = 0; text < kTexts.size(); ++text) {
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(rows[text * 384 + i], kCls[text][i], 1e-5) << text;
    }
  }
}

TEST_F(MiniLm, TheBatchDoesNotMatter) {
  Embedder alone = this->embedder({.max_tokens = 64, .batch_tokens = 64});
  Embedder together = this->embedder({.max_tokens = 64, .batch_tokens = 4096});
  const std::vector<float> a = alone.embed(kTexts);
  const std::vector<float> b = together.embed(kTexts);
  EXPECT_EQ(alone.cut(), 1);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-6);
}

}  // namespace
}  // namespace bertha::infer
