#include "doctor/gaudi_graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

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

/// What a trainable model in bf16 takes: all of it is flat buffers of equal length.
MemoryClasses memory_of_training(const bert::ParameterStore& store) {
  return {.parameters = store.flat_weights().size_bytes(),
          .gradients = store.flat_gradients().size_bytes(),
          .moments = 2 * store.flat_weights().size_bytes(),
          .bf16_copies = store.flat_bf16_weights().size_bytes()};
}

struct PretrainingJob {
  BatchShape shape;
  int64_t predictions;  ///< masked tokens of a sequence
  bool recompute;
};

/// A step of pre-training with the micro-batch of the recipe: forward and backward, then the
/// update.
void compile_pretraining(Device& device, const bert::Config& config, const PretrainingJob& job,
                         MemoryClasses& memory) {
  const BatchShape& shape = job.shape;
  const int64_t predictions = job.predictions;
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kBF16, true);
  memory = memory_of_training(store);
  train::TrainerSettings settings;
  settings.compute = DType::kBF16;
  settings.recompute = job.recompute;
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

void compile_fine_tuning(Device& device, const bert::Config& config, const BatchShape& shape,
                         MemoryClasses& memory) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, DType::kBF16,
                             true);
  memory = memory_of_training(store);
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

void compile_prediction(Device& device, const bert::Config& config, const BatchShape& shape,
                        MemoryClasses& memory) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, DType::kBF16,
                             false);
  memory.parameters = store.weight_bytes();
  store.weights_changed();  // as after loading them: makes the copies in bf16
  bert::QuestionAnsweringModel model(config, store);
  infer::TaskPass pass("question answering", model);
  infer::Predictor predictor(device, DType::kBF16, pass,
                             {.tokens = shape.tokens(), .sequences = shape.sequences});
  RaggedBatch batch;
  append_sequences(shape, batch);
  predictor.run(batch);
}

struct Job {
  std::string name;
  std::function<void(Device&, const bert::Config&, MemoryClasses&)> compile;
};

std::vector<Job> jobs() {
  const auto pretraining = [](std::string name, const BatchShape& shape, int64_t predictions,
                              bool recompute) {
    return Job{std::move(name), [=](Device& device, const bert::Config& config, auto& memory) {
                 compile_pretraining(device, config, {shape, predictions, recompute}, memory);
               }};
  };
  constexpr BatchShape kPhase1 = {64, 128};
  constexpr BatchShape kPhase2 = {16, 512};
  constexpr BatchShape kSquad = {24, 384};
  return {pretraining("phase 1, 64 x 128", kPhase1, 20, false),
          pretraining("phase 1, 64 x 128, --checkpoint-activations", kPhase1, 20, true),
          pretraining("phase 2, 16 x 512", kPhase2, 80, false),
          pretraining("phase 2, 16 x 512, --checkpoint-activations", kPhase2, 80, true),
          {"fine-tuning, 24 x 384",
           [=](Device& device, const bert::Config& config, auto& memory) {
             compile_fine_tuning(device, config, kSquad, memory);
           }},
          {"prediction, 24 x 384", [=](Device& device, const bert::Config& config, auto& memory) {
             compile_prediction(device, config, kSquad, memory);
           }}};
}

/// Adds to what the job said of its model what its graphs use.
void add_use(MemoryClasses& memory, const std::vector<gaudi::Compilation>& graphs,
             const gaudi::OperandBytes& operands) {
  memory.batches = operands.buffers -
                   (memory.parameters + memory.gradients + memory.moments + memory.bf16_copies);
  memory.host_operands = operands.host;
  const auto peak_of = [](const gaudi::Compilation& graph) { return graph.live.peak_bytes; };
  if (graphs.empty()) return;
  const gaudi::LiveMemory& largest = std::ranges::max_element(graphs, {}, peak_of)->live;
  memory.activations = largest.kept_bytes;
  memory.temporaries = largest.peak_bytes - largest.kept_bytes;
}

/// Name and bytes of each class, and of the sum.
std::vector<std::pair<const char*, int64_t>> named(const MemoryClasses& memory) {
  return {{"parameters", memory.parameters},   {"gradients", memory.gradients},
          {"moments", memory.moments},         {"bf16 copies", memory.bf16_copies},
          {"batches", memory.batches},         {"operands of the host", memory.host_operands},
          {"activations", memory.activations}, {"temporaries", memory.temporaries},
          {"in all", memory.total()}};
}

uint64_t workspace_of(const JobGraphs& job) {
  uint64_t most = 0;
  for (const gaudi::Compilation& graph : job.graphs) most = std::max(most, graph.workspace_bytes);
  return most;
}

Fact fact_of_graphs(const std::string& kind, const JobGraphs& job) {
  Fact fact{.name = "graphs"};
  int64_t nodes = 0;
  double seconds = 0;
  std::string each;
  fact.values = {{"device", kind}, {"job", job.job}, {"error", job.error}};
  for (const gaudi::Compilation& graph : job.graphs) {
    nodes += graph.nodes;
    seconds += graph.seconds;
    each += fmt::format("; \"{}\" {}, {} nodes", graph.name, graph.digest, graph.nodes);
    fact.values["graphs"].push_back({{"name", graph.name},
                                     {"digest", graph.digest},
                                     {"nodes", graph.nodes},
                                     {"workspace_bytes", graph.workspace_bytes},
                                     {"live_bytes", graph.live.peak_bytes},
                                     {"kept_bytes", graph.live.kept_bytes},
                                     {"seconds", graph.seconds}});
  }
  fact.text =
      fmt::format("{}, {}: {} graphs that no job before had, {} nodes, compiled in {:.1f} s{}",
                  kind, job.job, job.graphs.size(), nodes, seconds, each);
  if (!job.error.empty()) {
    fact.state = State::kProblem;
    fact.text += "; then " + job.error;
  }
  return fact;
}

Fact fact_of_footprint(const std::string& kind, const JobGraphs& job) {
  Fact fact{.name = "footprint", .text = fmt::format("{}, {}: ", kind, job.job)};
  fact.values = {{"device", kind}, {"job", job.job}};
  for (const auto& [what, bytes] : named(job.memory)) {
    if (bytes == 0) continue;
    fact.text += fmt::format("{} {}, ", what, format_bytes(static_cast<double>(bytes)));
    fact.values[what] = bytes;
  }
  const uint64_t workspace = workspace_of(job);
  fact.text += fmt::format("in the order of recording; the compiler plans a workspace of {}",
                           format_bytes(static_cast<double>(workspace)));
  fact.values["workspace"] = workspace;
  return fact;
}

Fact fact_of_candidates(const GaudiGraphs& graphs) {
  Fact fact{.name = "kernels", .text = graphs.kind};
  fact.values = {{"device", graphs.kind}, {"candidates", graphs.candidates}};
  for (const auto& [what, chosen] : graphs.candidates) {
    fact.text += fmt::format("; {} by {}", what, chosen);
  }
  return fact;
}

}  // namespace

int64_t MemoryClasses::total() const {
  return parameters + gradients + moments + bf16_copies + batches + host_operands + activations +
         temporaries;
}

GaudiGraphs compile_bert(gaudi::SynapseLibrary& library, gaudi::abi::DeviceType type,
                         const bert::Config& config, const std::string& dump_folder) {
  gaudi::CompilingDevice device(library, type, dump_folder);
  auto kernels = std::make_shared<ops::GaudiKernels>(device);
  device.set_kernels(kernels);
  GaudiGraphs result{.kind = gaudi::name_of(type), .jobs = {}, .candidates = {}};
  for (const Job& job : jobs()) {
    JobGraphs graphs{.job = job.name, .graphs = {}, .memory = {}, .error = {}};
    device.take_operand_bytes();
    const size_t before = device.compilations().size();
    try {
      job.compile(device, config, graphs.memory);
    } catch (const Error& error) {
      graphs.error = error.what();
    }
    const std::vector<gaudi::Compilation>& all = device.compilations();
    graphs.graphs.assign(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
    add_use(graphs.memory, graphs.graphs, device.take_operand_bytes());
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
    const GaudiGraphs graphs = compile_bert(*library, type, config, folder);
    facts.push_back(fact_of_candidates(graphs));
    for (const JobGraphs& job : graphs.jobs) {
      facts.push_back(fact_of_graphs(graphs.kind, job));
      if (job.error.empty()) facts.push_back(fact_of_footprint(graphs.kind, job));
    }
  }
  return facts;
}

}  // namespace bertha::doctor
