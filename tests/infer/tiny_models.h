#pragma once

// Models of random weights and one small layer, written as files for tests that open them.

#include <filesystem>
#include <string>

#include "backend/cpu/cpu_device.h"
#include "bert/export.h"
#include "support/files.h"
#include "support/paths.h"
#include "text/vocabulary.h"

namespace bertha::test {

inline std::string tiny_vocabulary() {
  return tests_path("tasks/fixtures/squad/vocab.txt");
}

inline bert::Config tiny_config() {
  return {.vocab_size = text::Vocabulary::load(tiny_vocabulary()).size(),
          .hidden_size = 32,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 64,
          .max_position_embeddings = 64};
}

enum class TinyFormat { kHuggingFace, kRecipe };

/// Writes a model in `folder`: config, vocab.txt and model.safetensors or pytorch_model.bin.
inline void write_tiny_model(const std::string& folder, const bert::Heads& heads,
                             bert::ModelClass model, TinyFormat format = TinyFormat::kHuggingFace) {
  const bert::Config config = tiny_config();
  cpu::CpuDevice device;
  bert::ParameterStore store(device, config.padded(), heads, DType::kF32, false);
  store.initialise(bert::InitStyle::kBert, config.padded(), 7);
  const bert::ExportModel out = {
      .config = config,
      .table = &store.table(),
      .model = model,
      .dtype = DType::kF32,
      .read = [&store](int index, float* values) { store.read(index, values); }};
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(tiny_vocabulary(), folder + "/vocab.txt");
  if (format == TinyFormat::kHuggingFace) {
    bert::write_hugging_face(folder, out);
  } else {
    write_all(folder + "/bert_config.json", bert::recipe_config_json(config.padded()));
    bert::write_recipe_weights(folder + "/pytorch_model.bin", out);
  }
}

}  // namespace bertha::test
