#include "doctor/gaudi_graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "backend/gaudi/compiling_device.h"
#include "backend/gaudi/synapse_library.h"
#include "bert/parameters.h"
#include "bert/question_answering.h"
#include "core/error.h"
#include "infer/predictor.h"
#include "ops/gaudi/gaudi_kernels.h"
#include "train/fine_tuning.h"
#include "train/pretraining_trainer.h"

namespace bertha::doctor {
namespace {

/// Sequences of one length.
struct BatchShape {
  int64_t sequences;
  int64_t length;
  int64_t tokens() const { return sequences * length; }
};

void append_sequences(const BatchShape& shape, RaggedBatch& batch) {
  batch.clear();
  for (int64_t sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int64_t position = 0; position < shape.length; ++position) {
      batch.ids.push_back(0);
      batch.segments.push_back(0);
      batch.positions.push_back(static_cast<int32_t>(position));
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
  }
}

/// A step of pre-training with the micro-batch of the recipe: forward and backward, then the
/// update.
void compile_pretraining(Device& device, const bert::Config& config, const BatchShape& shape,
                         int64_t predictions) {
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kBF16, true);
  train::TrainerSettings settings;
  settings.compute = DType::kBF16;
  settings.limits = {.tokens = shape.tokens(),
                     .sequences = shape.sequences,
                     .masked = shape.sequences * predictions};
  train::PretrainingTrainer trainer(device, config, store, settings);
  PretrainingBatch batch;
  append_sequences(shape, batch);
  for (int64_t sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int64_t row = 0; row < predictions; ++row) {
      batch.masked_rows.push_back(static_cast<int32_t>(sequence * shape.length + row));
      batch.masked_labels.push_back(0);
    }
    batch.next_sentence.push_back(0);
  }
  trainer.micro_batch(batch, 0);
  trainer.losses();
  trainer.update(1e-3, 1);
}

void compile_fine_tuning(Device& device, const bert::Config& config, const BatchShape& shape) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, DType::kBF16,
                             true);
  bert::QuestionAnsweringModel model(config, store);
  train::FineTuningSettings settings;
  settings.compute = DType::kBF16;
  settings.train_pooler = false;
  settings.max_tokens = shape.tokens();
  settings.max_sequences = shape.sequences;
  train::FineTuningTrainer trainer(device, store, model, settings);
  train::TaskBatch batch;
  append_sequences(shape, batch);
  batch.labels.assign(static_cast<size_t>(2 * shape.sequences), 0);
  trainer.part(batch, std::ssize(batch.labels), 0);
  trainer.end_micro_batch();
  trainer.losses();
  trainer.update(1e-5, 1);
}

void compile_prediction(Device& device, const bert::Config& config, const BatchShape& shape) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, DType::kBF16,
                             false);
  bert::QuestionAnsweringModel model(config, store);
  infer::TaskPass pass("question answering", model);
  infer::Predictor predictor(device, DType::kBF16, pass,
                             {.tokens = shape.tokens(), .sequences = shape.sequences});
  RaggedBatch batch;
  append_sequences(shape, batch);
  predictor.run(batch);
}

struct Job {
  const char* name;
  std::function<void(Device&, const bert::Config&)> compile;
};

const std::vector<Job>& jobs() {
  static const std::vector<Job> all = {
      {"phase 1, 64 x 128",
       [](Device& d, const bert::Config& c) {
         compile_pretraining(d, c, {64, 128}, 20);
       }},
      {"phase 2, 16 x 512",
       [](Device& d, const bert::Config& c) {
         compile_pretraining(d, c, {16, 512}, 80);
       }},
      {"fine-tuning, 24 x 384",
       [](Device& d, const bert::Config& c) {
         compile_fine_tuning(d, c, {24, 384});
       }},
      {"prediction, 24 x 384", [](Device& d, const bert::Config& c) {
         compile_prediction(d, c, {24, 384});
       }}};
  return all;
}

nlohmann::ordered_json to_json(const JobGraphs& job) {
  nlohmann::ordered_json json = {
      {"job", job.job}, {"error", job.error}, {"operand_bytes", job.operand_bytes}};
  for (const gaudi::Compilation& graph : job.graphs) {
    json["graphs"].push_back({{"name", graph.name},
                              {"digest", graph.digest},
                              {"nodes", graph.nodes},
                              {"workspace_bytes", graph.workspace_bytes},
                              {"seconds", graph.seconds}});
  }
  return json;
}

std::string text_of(const JobGraphs& job) {
  int64_t nodes = 0;
  uint64_t workspace_bytes = 0;
  double seconds = 0;
  for (const gaudi::Compilation& graph : job.graphs) {
    nodes += graph.nodes;
    workspace_bytes = std::max(workspace_bytes, graph.workspace_bytes);
    seconds += graph.seconds;
  }
  std::string text = fmt::format(
      "{}: {} graphs that no job before had, {} nodes, memory {} and a workspace of {}, compiled "
      "in "
      "{:.1f} s",
      job.job, job.graphs.size(), nodes, format_bytes(static_cast<double>(job.operand_bytes)),
      format_bytes(static_cast<double>(workspace_bytes)), seconds);
  if (!job.error.empty()) text += "; then " + job.error;
  return text;
}

Fact fact_of_kind(const GaudiGraphs& graphs) {
  Fact fact{.name = "graphs", .text = graphs.kind};
  for (const JobGraphs& job : graphs.jobs) {
    if (!job.error.empty()) fact.state = State::kProblem;
    fact.text += "; " + text_of(job);
    fact.values["jobs"].push_back(to_json(job));
  }
  fact.values["device"] = graphs.kind;
  fact.values["candidates"] = graphs.candidates;
  for (const auto& [what, chosen] : graphs.candidates) {
    fact.text += fmt::format("; {} by {}", what, chosen);
  }
  return fact;
}

}  // namespace

GaudiGraphs compile_bert(gaudi::SynapseLibrary& library, gaudi::abi::DeviceType type,
                         const bert::Config& config, const std::string& dump_folder) {
  gaudi::CompilingDevice device(library, type, dump_folder);
  auto kernels = std::make_shared<ops::GaudiKernels>(device);
  device.set_kernels(kernels);
  GaudiGraphs result{.kind = gaudi::name_of(type), .jobs = {}, .candidates = {}};
  for (const Job& job : jobs()) {
    JobGraphs graphs{.job = job.name, .graphs = {}, .error = {}};
    device.take_peak_bytes();
    const size_t before = device.compilations().size();
    try {
      job.compile(device, config);
    } catch (const Error& error) {
      graphs.error = error.what();
    }
    graphs.operand_bytes = device.take_peak_bytes();
    const std::vector<gaudi::Compilation>& all = device.compilations();
    graphs.graphs.assign(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
    result.jobs.push_back(std::move(graphs));
  }
  result.candidates = kernels->candidates().chosen();
  return result;
}

std::vector<Fact> facts_of_gaudi_graphs(const bert::Config& config,
                                        const std::string& dump_folder) {
  std::string why;
  gaudi::SynapseLibrary* const library = gaudi::process_library(&why);
  if (library == nullptr) {
    return {{.name = "graphs", .state = State::kProblem, .text = "not compiled: " + why}};
  }
  std::vector<Fact> facts;
  for (const auto type : {gaudi::abi::kGaudi, gaudi::abi::kGaudi2, gaudi::abi::kGaudi3}) {
    const std::string folder = dump_folder.empty() ? "" : dump_folder + "/" + gaudi::name_of(type);
    facts.push_back(fact_of_kind(compile_bert(*library, type, config, folder)));
  }
  return facts;
}

}  // namespace bertha::doctor
