#include "train/text_task.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <utility>

#include "core/error.h"
#include "io/archive/crc32.h"
#include "io/atomic_file.h"
#include "io/file_status.h"
#include "train/model_folder_writer.h"
#include "train/option_checks.h"
#include "train/pretraining_options.h"
#include "train/rank_agreement.h"
#include "train/run_report.h"

namespace bertha::train {

void check_options(const TextTaskOptions& options, const bert::Config& config) {
  if (options.max_seq_length < 8 || options.max_seq_length > config.max_tokens()) {
    fail("--max-seq-length is {}; expected 8 to {} (max_position_embeddings)",
         options.max_seq_length, config.max_tokens());
  }
  check_at_least("train-batch-size", options.train_batch_size, 1);
  check_at_least("predict-batch-size", options.predict_batch_size, 1);
  check_at_least("eval-steps", options.eval_steps, 0);
  check_at_least("num-steps-per-checkpoint", options.save_steps, 0);
  check_at_least("num-train-epochs", options.num_train_epochs, 1);
}

std::unique_ptr<infer::Model> open_text_model(
    const TextTaskOptions& options, std::shared_ptr<const infer::ModelDefinition> definition,
    Device& device, infer::Purpose purpose, int64_t outputs, comm::Communicator& world) {
  auto model = infer::Model::open(
      std::move(definition), device,
      {.purpose = purpose,
       .classes = outputs,
       .arithmetic = options.arithmetic,
       .trainable = !options.train_file.empty(),
       .seed = static_cast<uint64_t>(options.seed),
       .on_missing = [](const std::string& warning) { spdlog::warn("{}", warning); }});
  log_loaded(model->report().weights, !options.train_file.empty());
  broadcast_weights(world, model->parameters());
  return model;
}

FineTuningJob job_of(const TextTaskOptions& options, int64_t rows, const std::string& what,
                     const infer::ModelDefinition& definition, comm::Communicator& world) {
  const TextTaskOptions& o = options;
  FineTuningJob job;
  job.rows = rows;
  job.max_tokens_a_row = o.max_seq_length;
  job.micro_batch = o.train_batch_size * world.ranks();
  job.epochs = o.num_train_epochs;
  const int64_t steps = (job.rows + job.micro_batch - 1) / job.micro_batch;
  job.schedule = {.kind = optim::ScheduleKind::kLinearWarmUp,
                  .base_rate = o.learning_rate,
                  .warmup = o.warmup_proportion,
                  .total_updates = steps * o.num_train_epochs};
  job.trainer = {.seed = static_cast<uint64_t>(o.seed), .sums = o.sums};
  job.trainer.optimizer.zero = o.zero;
  const auto text = [](auto value) { return fmt::format("{}", value); };
  const io::MappedFile file(o.train_file);
  job.settings = {{kDataSetting, fmt::format("{} {} of a file with CRC {:08x}", job.rows, what,
                                             io::crc32(file.bytes()))},
                  {"init_checkpoint", definition.files().weights},
                  {what + " an update over all ranks", text(job.micro_batch)},
                  {"learning_rate", text(o.learning_rate)},
                  {"num_train_epochs", text(o.num_train_epochs)},
                  {"warmup_proportion", text(o.warmup_proportion)},
                  {"seed", text(o.seed)},
                  {"max_seq_length", text(o.max_seq_length)},
                  {"precision", infer::name_of(o.arithmetic)},
                  {"config_file", bert::recipe_config_json(definition.config())}};
  job.folder = o.output_dir;
  job.input = definition.files().weights;
  job.overwrite = o.overwrite;
  job.rows_name = what;
  job.config = &definition.config();
  job.save_steps = o.save_steps;
  job.weight_check_interval = o.weight_check_interval;
  job.tensorboard_dir = o.tensorboard_dir;
  job.progress = o.progress;
  job.eval_steps = o.eval_steps;
  return job;
}

std::string path_of_predictions(const TextTaskOptions& options, const std::string& name) {
  std::string path = options.output_dir + "/" + name;
  std::error_code ignored;
  if (std::filesystem::equivalent(path, options.predict_file, ignored)) {
    fail("{}: --predict-file would be replaced; give another --output-dir", path);
  }
  const bool own = options.overwrite || !options.train_file.empty();
  if (!own && io::exists(path)) {
    fail("{}: it exists; give another --output-dir, or --overwrite to replace it", path);
  }
  return path;
}

void save_classifier(const std::string& folder, bert::ModelClass model,
                     const bert::HeadConfig& head, const infer::Model& trained) {
  write_model_folder({.folder = folder,
                      .model = model,
                      .vocabulary = &trained.definition().vocabulary(),
                      .tokenizer = trained.tokenizer().options(),
                      .head = head},
                     trained.config(), trained.parameters());
  const std::string path = folder + "/labels.txt";
  if (head.problem_type == "regression") {
    std::filesystem::remove(path);  // of an earlier classifier
    return;
  }
  std::string lines;
  for (const std::string& label : head.labels) lines += label + "\n";
  io::write_file(path, lines);
}

}  // namespace bertha::train
