#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <string_view>

#include "bert/export.h"
#include "core/error.h"
#include "core/fp8.h"
#include "io/file_status.h"
#include "io/weights/carried_texts.h"
#include "io/weights/checkpoint_names.h"
#include "io/weights/torch_file.h"

namespace bertha::train {
namespace {

using io::PickleTree;
using io::PickleValue;

constexpr int64_t kRecordVersion = 1;
constexpr const char* kFp8HistoriesKey = "fp8_histories";

/// Parameters in the order in which the optimizer's state numbers them: first those that decay.
std::vector<int> optimizer_order(const bert::ParameterTable& table) {
  std::vector<int> order;
  for (const bool decay : {true, false}) {
    for (int i = 0; i < static_cast<int>(table.parameters().size()); ++i) {
      if (table[i].decay == decay) order.push_back(i);
    }
  }
  return order;
}

std::vector<int64_t> extents_of(const Shape& shape) {
  return {shape.extents().begin(), shape.extents().end()};
}

// ---- writing -------------------------------------------------------------------------------

/// A tensor whose values `read(float*)` copies to host memory when the file is written.
template <typename Read>
const PickleValue& add_tensor(io::TorchWriter& writer, const Shape& shape, const Read& read) {
  const int64_t size = shape.size();
  return writer.tensor(DType::kF32, extents_of(shape), [size, read](const io::ByteSink& sink) {
    std::vector<float> values(static_cast<size_t>(size));
    read(values.data());
    sink(std::as_bytes(std::span<const float>(values)));
  });
}

bert::ModelClass class_of(const bert::ModelIndices& indices) {
  if (indices.qa_weight >= 0) return bert::ModelClass::kQuestionAnswering;
  if (indices.classifier_weight >= 0) return bert::ModelClass::kClassification;
  return bert::ModelClass::kPretraining;
}

/// All weights of the table, in the form that bert::state_dict takes.
bert::ExportModel model_of(const bert::ParameterStore& parameters) {
  return {.config = {},
          .table = &parameters.table(),
          .model = class_of(parameters.table().indices()),
          .dtype = DType::kF32,
          .read = [&parameters](int index, float* to) { parameters.read(index, to); }};
}

const PickleValue& moments_tree(io::TorchWriter& writer, const bert::ParameterTable& table,
                                const optim::MomentStore& moments, int64_t step) {
  PickleTree& tree = writer.tree();
  PickleValue& state = tree.dict();
  int64_t number = 0;
  for (const int index : optimizer_order(table)) {
    const Shape& shape = table[index].shape;
    PickleValue& entry = tree.dict();
    tree.set(entry, "exp_avg", add_tensor(writer, shape, [&moments, index](float* to) {
               moments.read_moments(index, to, nullptr);
             }));
    tree.set(entry, "exp_avg_sq", add_tensor(writer, shape, [&moments, index](float* to) {
               moments.read_moments(index, nullptr, to);
             }));
    tree.set(entry, "step", tree.integer(step));
    state.set(tree.integer(number++), entry);
  }
  return state;
}

const PickleValue& group_tree(PickleTree& tree, const OptimizerRecord& record, bool decayed,
                              int64_t step, int64_t first, int64_t count) {
  PickleValue& group = tree.dict();
  PickleValue& betas = tree.tuple();
  betas.append(tree.real(record.adam.beta1));
  betas.append(tree.real(record.adam.beta2));
  PickleValue& params = tree.list();
  for (int64_t i = 0; i < count; ++i) params.append(tree.integer(first + i));
  tree.set(group, "lr", tree.real(record.rate));
  tree.set(group, "bias_correction", tree.boolean(record.bias_correction));
  tree.set(group, "betas", betas);
  tree.set(group, "eps", tree.real(record.adam.eps));
  tree.set(group, "weight_decay", tree.real(decayed ? record.adam.weight_decay : 0.0));
  tree.set(group, "grad_averaging", tree.boolean(true));
  tree.set(group, "max_grad_norm", tree.real(record.max_gradient_norm));
  tree.set(group, "initial_lr", tree.real(record.initial_rate));
  tree.set(group, "step", tree.integer(step));
  tree.set(group, "t_total", tree.integer(record.total_steps));
  tree.set(group, "warmup", tree.real(record.warmup));
  tree.set(group, "params", params);
  return group;
}

const PickleValue& optimizer_tree(io::TorchWriter& writer, const bert::ParameterTable& table,
                                  const optim::MomentStore& moments, const OptimizerRecord& record,
                                  int64_t step) {
  PickleTree& tree = writer.tree();
  const auto decayed = std::count_if(table.parameters().begin(), table.parameters().end(),
                                     [](const bert::Parameter& p) { return p.decay; });
  const int64_t rest = std::ssize(table.parameters()) - decayed;
  PickleValue& groups = tree.list();
  groups.append(group_tree(tree, record, true, step, 0, decayed));
  groups.append(group_tree(tree, record, false, step, decayed, rest));
  PickleValue& optimizer = tree.dict();
  tree.set(optimizer, "state", moments_tree(writer, table, moments, step));
  tree.set(optimizer, "param_groups", groups);
  return optimizer;
}

const PickleValue& files_tree(PickleTree& tree, const CheckpointState& state) {
  PickleValue& files = tree.list();
  files.append(tree.integer(state.file_index));
  for (const std::string& file : state.files) files.append(tree.string(file));
  return files;
}

PickleValue& record_tree(PickleTree& tree, const CheckpointState& state) {
  const RunRecord& record = *state.run;
  PickleValue& settings = tree.dict();
  for (const auto& [name, value] : record.settings) tree.set(settings, name, tree.string(value));
  PickleValue& written = tree.list();
  for (const std::string& name : record.written) written.append(tree.string(name));
  PickleValue& entry = tree.dict();
  tree.set(entry, "version", tree.integer(kRecordVersion));
  tree.set(entry, "run_id", tree.string(record.run_id));
  tree.set(entry, io::kSettingsKey, settings);
  tree.set(entry, "step", tree.integer(state.step));
  tree.set(entry, "rows_consumed", tree.integer(record.rows_consumed));
  tree.set(entry, "skipped_steps", tree.integer(record.skipped_steps));
  tree.set(entry, "written", written);
  if (!state.vocabulary.empty()) {
    tree.set(entry, io::kVocabularyKey, tree.string(state.vocabulary));
  }
  return entry;
}

/// f32 [ranks, operands, kFp8History]
const PickleValue& histories_tensor(io::TorchWriter& writer, std::span<const float> histories,
                                    int64_t operands) {
  const int64_t ranks = std::ssize(histories) / (operands * kFp8History);
  const Shape shape = {ranks, operands, kFp8History};
  BERTHA_CHECK(shape.size() == std::ssize(histories));
  return writer.tensor(DType::kF32, extents_of(shape), std::as_bytes(histories));
}

// ---- reading -------------------------------------------------------------------------------

const PickleValue& root_of(const io::TorchFile& file) {
  if (!file.root().is(PickleValue::Kind::kDict) || file.root().find("model") == nullptr) {
    fail("{}: expected a checkpoint, a dict with \"model\"; it holds {}", file.path(),
         file.root().description());
  }
  return file.root();
}

RunRecord read_record(const PickleValue& entry, const std::string& path) {
  const std::string what = path + ": bertha";
  if (const int64_t version = entry.at("version", what).integer(what); version != kRecordVersion) {
    fail("{}: written by a newer bertha (record version {}, this one knows {})", path, version,
         kRecordVersion);
  }
  RunRecord record;
  record.run_id = entry.at("run_id", what).string(what);
  record.rows_consumed = entry.at("rows_consumed", what).integer(what);
  record.skipped_steps = entry.at("skipped_steps", what).integer(what);
  const auto settings = entry.at(io::kSettingsKey, what).items();
  for (size_t i = 0; i + 1 < settings.size(); i += 2) {
    record.settings.emplace_back(settings[i]->string(what), settings[i + 1]->string(what));
  }
  for (const PickleValue* name : entry.at("written", what).items()) {
    // Only names of checkpoints: a run removes these files, and a foreign file must not choose
    // them.
    const std::string text(name->string(what));
    if (io::checkpoint_number(text) >= 0) record.written.push_back(text);
  }
  if (record.rows_consumed < 0) fail("{}: rows_consumed is {}", what, record.rows_consumed);
  return record;
}

std::vector<float> read_values(const io::TorchFile& file, const PickleValue& value,
                               const bert::Parameter& parameter, const std::string& name) {
  const io::TensorData tensor = file.tensor(value, name);
  if (tensor.shape != extents_of(parameter.shape)) {
    fail("{}: {} has shape {}, the model needs {}", file.path(), name,
         io::shape_string(tensor.shape), parameter.shape.to_string());
  }
  std::vector<float> values(static_cast<size_t>(parameter.size()));
  io::convert_to_f32(tensor, values);
  return values;
}

/// Why the two moments of a parameter cannot be taken from `entry`, or empty.
std::string fault_of(const io::TorchFile& file, const PickleValue& entry,
                     const bert::Parameter& parameter) {
  for (const char* key : {"exp_avg", "exp_avg_sq"}) {
    const PickleValue* value = entry.find(key);
    if (value == nullptr || !io::TorchFile::is_tensor(*value)) return fmt::format("has no {}", key);
    const io::TensorInfo info = file.info(*value, key);
    if (!info.foreign_type.empty() || info.shape != extents_of(parameter.shape)) {
      return fmt::format("has {} of {} {}, the model needs {}", key, info.type_name(),
                         io::shape_string(info.shape), parameter.shape.to_string());
    }
  }
  return "";
}

/// Loads all moments or, when one of them does not fit, none.
MomentsReport load_moments_of(const io::TorchFile& file, const PickleValue& optimizer,
                              const bert::ParameterTable& table, optim::MomentStore& moments) {
  const PickleValue* state = optimizer.find("state");
  if (state == nullptr) {
    return {.fault = fmt::format("the optimizer's entry is {} without \"state\"",
                                 optimizer.description())};
  }
  std::vector<std::pair<int, const PickleValue*>> entries;
  for (const int index : optimizer_order(table)) {
    const int64_t number = std::ssize(entries);
    const PickleValue* entry = state->find(number);
    const std::string fault =
        entry == nullptr ? "is missing" : fault_of(file, *entry, table[index]);
    if (!fault.empty()) {
      return {.fault = fmt::format("optimizer state {} ({}) {}", number, table[index].name, fault)};
    }
    entries.emplace_back(index, entry);
  }
  for (const auto& [index, entry] : entries) {
    const std::string name = "the optimizer state of " + table[index].name;
    const auto exp_avg = read_values(file, entry->at("exp_avg", name), table[index], name);
    const auto exp_avg_sq = read_values(file, entry->at("exp_avg_sq", name), table[index], name);
    moments.write_moments(index, exp_avg.data(), exp_avg_sq.data());
  }
  return {.taken = true, .fault = ""};
}

}  // namespace

void save_checkpoint(const std::string& path, const bert::ParameterStore& parameters,
                     const optim::MomentStore& moments, const CheckpointState& state,
                     const OptimizerRecord& optimizer) {
  io::TorchWriter writer;
  PickleTree& tree = writer.tree();
  PickleValue& root = tree.dict();
  tree.set(root, "model", bert::state_dict(writer, model_of(parameters)));
  tree.set(root, "optimizer",
           optimizer_tree(writer, parameters.table(), moments, optimizer, state.step));
  tree.set(root, "files", files_tree(tree, state));
  tree.set(root, "epoch", tree.integer(state.epoch));
  tree.set(root, "data_loader", tree.none());
  if (state.run) {
    PickleValue& entry = record_tree(tree, state);
    if (!state.fp8_histories.empty()) {
      tree.set(entry, kFp8HistoriesKey,
               histories_tensor(writer, state.fp8_histories, parameters.fp8_operands()));
    }
    tree.set(root, io::kRunEntry, entry);
  }
  writer.save(path, root);
}

CheckpointState read_checkpoint_state(const std::string& path) {
  const io::TorchFile file(path);
  const PickleValue& root = root_of(file);
  file.verify();
  CheckpointState state;
  if (const PickleValue* files = root.find("files"); files != nullptr && !files->items().empty()) {
    state.file_index = files->items()[0]->integer(path + ": files");
    for (const PickleValue* item : files->items().subspan(1)) {
      state.files.emplace_back(item->string(path + ": files"));
    }
  }
  if (const PickleValue* epoch = root.find("epoch"); epoch != nullptr) {
    state.epoch = epoch->integer(path + ": epoch");
    if (state.epoch < 0 || state.epoch > std::numeric_limits<int32_t>::max()) {
      fail("{}: epoch is {}", path, state.epoch);
    }
  }
  if (const PickleValue* record = root.find(io::kRunEntry); record != nullptr) {
    state.run = read_record(*record, path);
    state.vocabulary = io::carried_texts(root).vocabulary;
    state.step = record->at("step", path + ": bertha").integer(path + ": bertha");
  }
  return state;
}

MomentsReport load_checkpoint(const std::string& path, bert::ParameterStore& parameters,
                              optim::MomentStore& moments) {
  const io::TorchFile file(path);
  const PickleValue& root = root_of(file);
  const PickleValue& model = root.at("model", path);
  const auto& all = parameters.table().parameters();
  for (int i = 0; i < static_cast<int>(all.size()); ++i) {
    const bert::Parameter& parameter = parameters.table()[i];
    const PickleValue& value = model.at(parameter.name, path + ": model");
    parameters.write(i, read_values(file, value, parameter, parameter.name).data());
  }
  parameters.weights_changed();
  const PickleValue* optimizer = root.find("optimizer");
  MomentsReport report;
  report.fault = "there is no optimizer state";
  if (optimizer != nullptr) {
    report = load_moments_of(file, *optimizer, parameters.table(), moments);
  }
  if (!report.taken && root.find(io::kRunEntry) != nullptr) fail("{}: {}", path, report.fault);
  return report;
}

std::vector<float> load_fp8_histories(const std::string& path, int64_t ranks, int64_t operands) {
  const io::TorchFile file(path);
  const PickleValue* const run = root_of(file).find(io::kRunEntry);
  const PickleValue* const value = run == nullptr ? nullptr : run->find(kFp8HistoriesKey);
  if (value == nullptr) return {};
  const io::TensorData tensor = file.tensor(*value, kFp8HistoriesKey);
  std::vector<int64_t> expected = {ranks, operands, kFp8History};
  if (tensor.shape.size() == expected.size()) expected[0] = tensor.shape[0];
  if (tensor.shape != expected || expected[0] < 1) {
    fail("{}: {} has shape {}, the run needs {}", path, kFp8HistoriesKey,
         io::shape_string(tensor.shape), Shape{ranks, operands, kFp8History}.to_string());
  }
  if (expected[0] != ranks) return {};
  std::vector<float> histories(static_cast<size_t>(ranks * operands * kFp8History));
  io::convert_to_f32(tensor, histories);
  for (const float magnitude : histories) {
    if (!(magnitude >= 0 && std::isfinite(magnitude))) {
      fail("{}: {} holds {}, which is no magnitude", path, kFp8HistoriesKey, magnitude);
    }
  }
  return histories;
}

MomentsReport load_moments(const std::string& path, const bert::ParameterTable& table,
                           optim::MomentStore& moments) {
  if (io::is_folder(path) || !io::TorchFile::matches(io::MappedFile(path).bytes())) {
    return {};
  }
  const io::TorchFile file(path);
  const PickleValue* optimizer = file.root().find("optimizer");
  if (optimizer == nullptr) return {};
  return load_moments_of(file, *optimizer, table, moments);
}

}  // namespace bertha::train
