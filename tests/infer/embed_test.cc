// Sentence vectors of all-MiniLM-L6-v2 against transformers 5 on PyTorch 2 (attention "eager",
// f32, at most 128 tokens), and what does not depend on the model.

#include "infer/embed.h"

#include <gtest/gtest.h>

#include <memory>

#include "backend/cpu/cpu_device.h"
#include "support/files.h"

namespace bertha::infer {
namespace {

class MiniLm : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = test::real_data("checkpoints/all-MiniLM-L6-v2");
    if (folder.empty()) GTEST_SKIP() << "no real data";
    model_ = Model::open({.weights = folder, .vocabulary = folder + "/tokenizer.json"}, device_,
                         {.purpose = Purpose::kEmbed});
  }
  std::vector<EmbedResult> embed(const std::vector<std::string>& texts,
                                 const EmbedSettings& settings) {
    EmbedTask task(*model_, settings);
    std::vector<EmbedRequest> requests;
    for (const std::string& text : texts) requests.push_back({.text = text});
    return task.run(requests);
  }

  cpu::CpuDevice device_;
  std::unique_ptr<Model> model_;
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

TEST_F(MiniLm, MeanPoolingEqualsPyTorch) {
  // The last text is cut, as there.
  const std::vector<EmbedResult> results = embed(kTexts, {.max_tokens = 128});
  for (size_t text = 0; text < kTexts.size(); ++text) {
    const std::vector<float>& row = results[text].vector;
    ASSERT_EQ(row.size(), 384U);
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(row[i], kMean[text][i], 1e-5) << text;
    double square = 0;
    for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(square, 1, 1e-5);
  }
}

TEST_F(MiniLm, ClsPoolingEqualsPyTorch) {
  const std::vector<EmbedResult> results =
      embed(kTexts, {.pooling = {Pooling::kCls}, .layers = {}, .max_tokens = 128});
  for (size_t text = 0; text < kTexts.size(); ++text) {
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(results[text].vector[i], kCls[text][i], 1e-5) << text;
    }
  }
}

TEST_F(MiniLm, VectorsDoNotDependOnTheBatch) {
  const std::vector<EmbedResult> alone = embed(kTexts, {.max_tokens = 64, .batch_tokens = 64});
  const std::vector<EmbedResult> together = embed(kTexts, {.max_tokens = 64, .batch_tokens = 4096});
  ASSERT_EQ(alone.size(), together.size());
  for (size_t text = 0; text < alone.size(); ++text) {
    EXPECT_EQ(alone[text].cut, text == 3);
    const std::vector<float>& a = alone[text].vector;
    const std::vector<float>& b = together[text].vector;
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-6);
  }
}

}  // namespace
}  // namespace bertha::infer
