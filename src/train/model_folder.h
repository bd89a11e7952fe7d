#pragma once

#include <string>

#include "bert/export.h"
#include "text/tokenizer.h"

namespace bertha::train {

/// What goes with the weights.
struct ModelFolder {
  std::string folder;  ///< made where it does not exist
  bert::ModelClass model = bert::ModelClass::kQuestionAnswering;
  const text::Vocabulary* vocabulary = nullptr;  ///< rows of the padded table beyond are cut off
  text::TokenizerOptions tokenizer;
};

/// Writes a fine-tuned model as the recipe does (pytorch_model.bin with a dict of "model", padded;
/// bert_config.json) and, beside it, as Hugging Face does (model.safetensors, config.json,
/// vocab.txt, tokenizer.json, tokenizer_config.json), so that the folder is a model for both. Each
/// file is whole or as it was.
void write_model_folder(const ModelFolder& target, const bert::Config& config,
                        const bert::ParameterStore& parameters);

}  // namespace bertha::train
