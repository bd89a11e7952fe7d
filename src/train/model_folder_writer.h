#pragma once

#include <string>

#include "bert/export.h"
#include "text/tokenizer.h"

namespace bertha::train {

/// A folder for a fine-tuned model, and what goes into it besides the weights.
struct ModelFolder {
  std::string folder;  ///< is created if it does not exist
  bert::ModelClass model = bert::ModelClass::kQuestionAnswering;
  const text::Vocabulary* vocabulary = nullptr;  ///< Hugging Face's files get its rows alone
  text::TokenizerOptions tokenizer;
  bert::HeadConfig head{};  ///< labels of a classifier
};

/// Writes a fine-tuned model as the recipe does (pytorch_model.bin with a dict of "model",
/// vocabulary padded; bert_config.json) and as Hugging Face does (model.safetensors, config.json,
/// vocab.txt, tokenizer.json, tokenizer_config.json), so that both can open the folder. A write
/// that fails leaves the old file.
void write_model_folder(const ModelFolder& target, const bert::Config& config,
                        const bert::ParameterStore& parameters);

}  // namespace bertha::train
