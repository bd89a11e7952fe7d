#include "train/model_folder.h"

#include <filesystem>

#include "core/error.h"
#include "io/atomic_file.h"

namespace bertha::train {

void write_model_folder(const ModelFolder& target, const bert::Config& config,
                        const bert::ParameterStore& parameters) {
  BERTHA_CHECK(target.vocab_size <= config.vocab_size);
  std::error_code failure;
  std::filesystem::create_directories(target.folder, failure);
  if (failure) fail("{}: cannot make this folder: {}", target.folder, failure.message());
  // Read first: it may be the very file that is written.
  const std::string vocabulary(io::MappedFile(target.vocab_file).text());
  bert::ExportModel model = {
      .config = config,
      .table = &parameters.table(),
      .model = target.model,
      .dtype = DType::kF32,
      .read = [&parameters](int index, float* values) { parameters.read(index, values); }};
  bert::write_recipe_weights(target.folder + "/pytorch_model.bin", model);
  io::write_file(target.folder + "/bert_config.json", bert::recipe_config_json(config));
  model.config.vocab_size = target.vocab_size;
  bert::write_hugging_face(target.folder, model);
  io::write_file(target.folder + "/vocab.txt", vocabulary);
  io::write_file(target.folder + "/tokenizer_config.json",
                 fmt::format("{{\"do_lower_case\": {}, \"tokenizer_class\": \"BertTokenizer\", "
                             "\"model_max_length\": {}}}\n",
                             target.lower_case, config.max_position_embeddings));
}

}  // namespace bertha::train
