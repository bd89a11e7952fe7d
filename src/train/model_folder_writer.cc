#include "train/model_folder_writer.h"

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "text/tokenizer_export.h"

namespace bertha::train {

void write_model_folder(const ModelFolder& target, const bert::Config& config,
                        const bert::ParameterStore& parameters) {
  const text::Vocabulary& vocabulary = *target.vocabulary;
  BERTHA_CHECK(vocabulary.size() <= config.vocab_size);
  io::make_folder(target.folder);
  bert::ExportModel model = {
      .config = config,
      .table = &parameters.table(),
      .model = target.model,
      .dtype = DType::kF32,
      .head = target.head,
      .read = [&parameters](int index, float* values) { parameters.read(index, values); }};
  const std::string folder = target.folder + "/";
  bert::write_recipe_weights(folder + "pytorch_model.bin", model);
  io::write_file(folder + "bert_config.json", bert::recipe_config_json(config));
  model.config.vocab_size = vocabulary.size();
  bert::write_hugging_face(target.folder, model);
  io::write_file(folder + "vocab.txt", text::vocabulary_text(vocabulary, target.tokenizer));
  io::write_file(folder + "tokenizer.json", text::tokenizer_json(vocabulary, target.tokenizer));
  io::write_file(folder + "tokenizer_config.json",
                 text::tokenizer_config_json(vocabulary, target.tokenizer, config.max_tokens()));
}

}  // namespace bertha::train
