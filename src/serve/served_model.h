#pragma once

// A model of the server: what its files say, which routes show and which a request needs to be
// tokenized. The weights are on the lanes (model_lane.h).

#include <memory>
#include <optional>
#include <string>

#include "infer/classify.h"
#include "infer/embed.h"
#include "infer/model.h"
#include "infer/sentence_modules.h"
#include "serve/inference_service.h"
#include "serve/model_service.h"

namespace bertha::serve {

/// Immutable, so that all threads may use it.
class ServedModel {
 public:
  /// Throws Error that names the folder: for files that are missing or unfit, and for weights
  /// without the head that the task needs.
  explicit ServedModel(const ModelSpec& spec);

  const ModelInfo& info() const { return info_; }
  infer::Purpose purpose() const { return purpose_; }
  int64_t classes() const { return classes_; }
  /// Whether the head gives a logit for each of the classes.
  bool has_labels() const {
    return purpose_ == infer::Purpose::kClassify || purpose_ == infer::Purpose::kTag;
  }
  const bert::Config& config() const { return definition_->config(); }
  const text::Tokenizer& tokenizer() const { return definition_->tokenizer(); }
  /// The tokenizer as transformers has it; another than tokenizer() for question answering alone,
  /// where that one follows the recipe, as bertha ask does.
  const text::Tokenizer& hub_tokenizer() const { return hub_definition_->tokenizer(); }
  const std::shared_ptr<const infer::ModelDefinition>& definition() const { return definition_; }

  /// The settings of a request for vectors. Throws Error for a choice that does not fit.
  std::shared_ptr<const infer::EmbedSettings> embed_settings(const EmbedRequest& request) const;
  infer::ProblemType problem() const { return problem_; }

 private:
  void find_task(const ModelSpec& spec);
  void describe_embed();
  void describe_classify();

  ModelInfo info_;
  infer::Purpose purpose_ = infer::Purpose::kEmbed;
  int64_t classes_ = 0;
  infer::ProblemType problem_ = infer::ProblemType::kSingleLabel;
  std::optional<infer::SentenceModules> modules_{};
  std::shared_ptr<const infer::ModelDefinition> definition_;
  std::shared_ptr<const infer::ModelDefinition> hub_definition_;
  std::shared_ptr<const infer::EmbedSettings> embed_;
};

}  // namespace bertha::serve
