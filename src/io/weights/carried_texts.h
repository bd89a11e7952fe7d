#pragma once

// The texts that a checkpoint of pre-training carries with its weights, so that the file alone is a
// model. They stand in its entry `bertha` (train/checkpoint.h), which other programs pass over.

#include <string>

#include "io/weights/pickle.h"

namespace bertha::io {

/// Contents of files. Both are empty for the weights of other programs; `vocabulary` also for a
/// checkpoint of a run that did not know its vocabulary.
struct CarriedTexts {
  std::string config{};      ///< of bert_config.json
  std::string vocabulary{};  ///< of vocab.txt
};

/// The keys of the entry and of the texts in it.
inline constexpr const char* kRunEntry = "bertha";
inline constexpr const char* kSettingsKey = "settings";
inline constexpr const char* kConfigSetting = "config_file";
inline constexpr const char* kVocabularyKey = "vocabulary";

/// The texts in the tree of a file of torch.save.
CarriedTexts carried_texts(const PickleValue& root);

}  // namespace bertha::io
