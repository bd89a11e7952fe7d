// What the scripts of this folder need:
//   tiny_job make FOLDER           shards of random rows and a model of two layers
//   tiny_job encoder FOLDER VOCAB  a model of one layer without heads, as transformers keeps it
//   tiny_job same A.pt B.pt        status 0 when all weights and moments are equal bit for bit
//   tiny_job whole FILE.pt…        status 0 when every checkpoint can be read, sums checked
//   tiny_job close A.tsv B.tsv T   status 0 when the losses of two losses.tsv differ by T at most

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "bert/config.h"
#include "bert/parameters.h"
#include "core/error.h"
#include "core/philox.h"
#include "dataset/hdf5_shard.h"
#include "io/weights/torch_file.h"
#include "text/vocabulary.h"
#include "train/checkpoint.h"
#include "train/model_folder_writer.h"

namespace bertha {
namespace {

void make_shard(const std::string& path, int64_t rows, uint64_t seed) {
  constexpr int64_t kLength = 32;
  constexpr int64_t kPredictions = 5;
  dataset::write_shard(
      path, {rows, kLength, kPredictions},
      [&](int64_t row, const dataset::ShardRow& out) {
        PhiloxStream random(seed, static_cast<uint64_t>(row));
        const size_t tokens = 8 + random.below(kLength - 7);
        for (size_t i = 0; i < tokens; ++i) {
          out.input_ids[i] = static_cast<int32_t>(5 + random.below(90));
          out.input_mask[i] = 1;
          out.segment_ids[i] = i >= tokens / 2 ? 1 : 0;
        }
        for (size_t i = 0; i < 1 + static_cast<size_t>(row % kPredictions); ++i) {
          out.masked_lm_positions[i] = static_cast<int32_t>(i + 1);
          out.masked_lm_ids[i] = static_cast<int32_t>(5 + random.below(90));
        }
        out.next_sentence_label = static_cast<int8_t>(random.below(2));
      },
      1);
}

void make(const std::string& folder) {
  std::filesystem::create_directories(folder + "/data");
  for (uint64_t i = 0; i < 3; ++i) {
    make_shard(fmt::format("{}/data/x_training_{}.hdf5", folder, i),
               40 + 7 * static_cast<int64_t>(i), 100 + i);
  }
  const bert::Config config = {.vocab_size = 100,
                               .hidden_size = 32,
                               .num_hidden_layers = 2,
                               .num_attention_heads = 4,
                               .intermediate_size = 64,
                               .max_position_embeddings = 32};
  std::ofstream(folder + "/config.json") << bert::recipe_config_json(config);
}

void make_encoder(const std::string& folder, const std::string& vocabulary_file) {
  const text::Vocabulary vocabulary = text::Vocabulary::load(vocabulary_file);
  bert::Config config = {.vocab_size = vocabulary.size(),
                         .hidden_size = 32,
                         .num_hidden_layers = 1,
                         .num_attention_heads = 2,
                         .intermediate_size = 64,
                         .max_position_embeddings = 64};
  config = config.padded();
  cpu::CpuDevice device;
  bert::ParameterStore encoder(device, config, bert::Heads{}, DType::kF32, false);
  encoder.initialise(bert::InitStyle::kBert, config, 1);
  train::write_model_folder({.folder = folder,
                             .model = bert::ModelClass::kEncoder,
                             .vocabulary = &vocabulary,
                             .tokenizer = {}},
                            config, encoder);
}

/// Every tensor of a tree, in its order.
void collect(const io::TorchFile& file, const io::PickleValue& value,
             std::vector<io::TensorData>& tensors) {
  const auto items = value.items();
  for (size_t i = 1; i < items.size(); i += 2) {
    if (io::TorchFile::is_tensor(*items[i])) {
      tensors.push_back(file.tensor(*items[i], "tensor"));
    } else if (items[i]->is(io::PickleValue::Kind::kDict)) {
      collect(file, *items[i], tensors);
    }
  }
}

bool same(const std::string& one, const std::string& other) {
  const io::TorchFile a(one);
  const io::TorchFile b(other);
  std::vector<io::TensorData> of_a;
  std::vector<io::TensorData> of_b;
  collect(a, a.root(), of_a);
  collect(b, b.root(), of_b);
  if (of_a.empty() || of_a.size() != of_b.size()) return false;
  for (size_t i = 0; i < of_a.size(); ++i) {
    if (!std::ranges::equal(of_a[i].bytes, of_b[i].bytes)) return false;
  }
  return true;
}

std::vector<double> numbers_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<double> numbers;
  for (std::string word; file >> word;) {
    try {
      numbers.push_back(std::stod(word));
    } catch (const std::exception&) {
      continue;  // a heading
    }
  }
  return numbers;
}

bool close(const std::string& one, const std::string& other, double tolerance) {
  const std::vector<double> a = numbers_of(one);
  const std::vector<double> b = numbers_of(other);
  if (a.empty() || a.size() != b.size()) return false;
  return std::ranges::equal(a, b, [&](double x, double y) { return std::abs(x - y) <= tolerance; });
}

bool run(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  if (command == "make" && words.size() == 2) {
    make(words[1]);
    return true;
  }
  if (command == "encoder" && words.size() == 3) {
    make_encoder(words[1], words[2]);
    return true;
  }
  if (command == "same" && words.size() == 3) return same(words[1], words[2]);
  if (command == "close" && words.size() == 4) {
    return close(words[1], words[2], std::stod(words[3]));
  }
  if (command == "whole" && words.size() > 1) {
    for (size_t i = 1; i < words.size(); ++i) train::read_checkpoint_state(words[i]);
    return true;
  }
  fail("usage: tiny_job make|encoder|same|close|whole …");
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  try {
    return bertha::run({argv + 1, argv + argc}) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tiny_job: %s\n", error.what());
    return 2;
  }
}
