#include "bert/weights.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "bert/hub_names.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "core/strings.h"

namespace bertha::bert {
namespace {

constexpr const char* kDecoder = "cls.predictions.decoder.weight";
constexpr const char* kWordEmbeddings = "bert.embeddings.word_embeddings.weight";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void replace_end(std::string& text, std::string_view from, std::string_view to) {
  if (text.ends_with(from)) text.replace(text.size() - from.size(), from.size(), to);
}

/// "bert/encoder/layer_0/output/dense/kernel" as "bert.encoder.layer.0.output.dense.weight".
MappedName from_tensorflow(std::string text) {
  replace_all(text, "/", ".");
  replace_all(text, ".layer_", ".layer.");
  const bool transposed = text.ends_with(".kernel");
  replace_end(text, ".kernel", ".weight");
  replace_end(text, ".output_weights", ".weight");
  replace_end(text, ".output_bias", ".bias");
  replace_end(text, "_embeddings", "_embeddings.weight");
  return {std::move(text), transposed};
}

bool is_no_parameter(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEnds = {"adam_m", "adam_v", "global_step",
                                                     "position_ids"};
  for (const std::string_view end : kEnds) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

}  // namespace

std::optional<MappedName> map_name(std::string_view file_name) {
  if (is_no_parameter(file_name)) return std::nullopt;
  MappedName mapped{std::string(file_name), false};
  if (file_name.find('/') != std::string_view::npos) {
    mapped = from_tensorflow(std::move(mapped.name));
  }
  std::string& name = mapped.name;
  if (auto of_table = from_hub_name(name)) name = std::move(*of_table);
  for (const char* bare : {"embeddings.", "encoder.", "pooler."}) {
    if (name.starts_with(bare)) name.insert(0, "bert.");
  }
  replace_end(name, ".gamma", ".weight");
  replace_end(name, ".beta", ".bias");
  replace_all(name, "intermediate.dense.", "intermediate.dense_act.");
  replace_all(name, "pooler.dense.", "pooler.dense_act.");
  replace_all(name, "predictions.transform.dense.", "predictions.transform.dense_act.");
  if (name == "cls.predictions.decoder.bias") name = "cls.predictions.bias";
  replace_all(name, "cls.squad.", "qa_outputs.");            // Google's run_squad.py
  if (name == "output_weights") name = "classifier.weight";  // Google's run_classifier.py
  if (name == "output_bias") name = "classifier.bias";
  return mapped;
}

namespace {

std::vector<int64_t> extents_of(const Shape& shape, bool transposed) {
  std::vector<int64_t> extents(shape.extents().begin(), shape.extents().end());
  if (transposed) std::swap(extents.front(), extents.back());
  return extents;
}

/// Whether the file's rows may be padded to the model's: equal columns, up to 7 rows short.
bool pads(const Parameter& parameter, bool vocabulary, const std::vector<int64_t>& found) {
  const Shape& shape = parameter.shape;
  return vocabulary && std::ssize(found) == shape.rank() && found[0] < shape[0] &&
         found[0] > shape[0] - 8 && (shape.rank() == 1 || found[1] == shape[1]);
}

}  // namespace

void transpose(std::span<const float> from, int64_t rows, int64_t columns, float* to) {
  constexpr int64_t kSquare = 32;
  const int64_t bands = (rows + kSquare - 1) / kSquare;
  parallel_for(bands, 1, [&](int64_t band) {
    const int64_t top = band * kSquare;
    for (int64_t left = 0; left < columns; left += kSquare) {
      // A square fits into the first-level cache.
      for (int64_t r = top; r < std::min(top + kSquare, rows); ++r) {
        for (int64_t c = left; c < std::min(left + kSquare, columns); ++c) {
          to[r * columns + c] = from[static_cast<size_t>(c * rows + r)];
        }
      }
    }
  });
}

WeightFile::WeightFile(const std::string& path) : source_(io::open_weights(path)) {
  for (const io::TensorInfo& info : source_->tensors()) {
    const std::optional<MappedName> mapped = map_name(info.name);
    // A file may hold a parameter under several names; the first one counts.
    if (mapped) places_.emplace(mapped->name, Place{&info, mapped->transposed});
    // An untied decoder adds its own bias, and the head's is of no use.
    if (mapped && info.name.ends_with("decoder.bias")) places_[mapped->name].info = &info;
    if (!family_) family_ = family_of_name(info.name);
  }
  if (has(kWordEmbeddings) && has("bert.encoder.layer.0.attention.self.query.weight")) return;
  const auto& all = source_->tensors();
  fail("{}: no tensor of it is a parameter of a BERT encoder ({} tensors{})", source_->path(),
       all.size(), all.empty() ? std::string() : ", the first " + all[0].name);
}

const WeightFile::Place& WeightFile::place(const std::string& parameter) const {
  const auto found = places_.find(parameter);
  if (found == places_.end()) fail("{}: there is no {}", source_->path(), parameter);
  return found->second;
}

Heads WeightFile::heads() const {
  Heads heads;
  heads.pooler = has("bert.pooler.dense_act.weight");
  heads.language_model = has("cls.predictions.transform.dense_act.weight");
  heads.next_sentence = has("cls.seq_relationship.weight");
  heads.question_answering = has("qa_outputs.weight");
  if (has("classifier.weight")) {
    const std::vector<int64_t>& shape = place("classifier.weight").info->shape;
    if (shape.size() != 2 || shape[0] < 1 || shape[0] > (1 << 20)) {
      fail("{}: classifier.weight is {}, expected [classes, hidden]", source_->path(),
           io::shape_string(shape));
    }
    heads.classes = shape[0];
  }
  return heads;
}

DType WeightFile::dtype() const {
  return place(kWordEmbeddings).info->dtype;
}

int64_t WeightFile::vocabulary_rows() const {
  const std::vector<int64_t>& shape = place(kWordEmbeddings).info->shape;
  return shape.empty() ? 0 : shape[0];
}

void WeightFile::check(const ParameterTable& table) const {
  std::vector<std::string> misfits;
  for (int index = 0; index < static_cast<int>(table.parameters().size()); ++index) {
    const Parameter& parameter = table[index];
    const auto found = places_.find(parameter.name);
    if (found == places_.end()) continue;
    const auto& [info, transposed] = found->second;
    const bool vocabulary = table.has_vocabulary_rows(index);
    const bool swapped = transposed && parameter.shape.rank() == 2;
    if (info->shape == extents_of(parameter.shape, swapped) ||
        pads(parameter, vocabulary, info->shape)) {
      continue;
    }
    misfits.push_back(fmt::format("{} is {}, the model needs {}", info->name,
                                  io::shape_string(info->shape), parameter.shape.to_string()));
  }
  if (!misfits.empty()) {
    fail("{} does not fit the config: {}", source_->path(), join(misfits, "; "));
  }
}

void WeightFile::check_family(const Config& config) const {
  if (!family_ || *family_ == config.family()) return;
  fail("{}: the tensors have the names of {}, and the config says model_type {}", source_->path(),
       *family_ == ModelFamily::kRoberta ? "RoBERTa" : "DistilBERT", config.model_type);
}

std::vector<std::string> WeightFile::unused(const ParameterTable& table) const {
  std::vector<std::string> names;
  for (const io::TensorInfo& info : source_->tensors()) {
    const std::optional<MappedName> mapped = map_name(info.name);
    const bool repeats = mapped && mapped->name == kDecoder;  // the word embeddings, where tied
    if (mapped && !repeats && table.find(mapped->name) < 0) names.push_back(info.name);
  }
  return names;
}

void WeightFile::read(const Parameter& parameter, float* values) const {
  fill(parameter, source_->read(place(parameter.name).info->name), values);
}

const float* WeightFile::values(const Parameter& parameter, std::vector<float>& buffer) const {
  const Place& found = place(parameter.name);
  const io::TensorData data = source_->read(found.info->name);
  const bool as_they_stand = data.dtype == DType::kF32 && data.owned == nullptr &&
                             data.size() == parameter.size() &&
                             !(found.transposed && parameter.shape.rank() == 2) &&
                             reinterpret_cast<uintptr_t>(data.bytes.data()) % alignof(float) == 0;
  if (as_they_stand) return reinterpret_cast<const float*>(data.bytes.data());
  buffer.resize(static_cast<size_t>(parameter.size()));
  fill(parameter, data, buffer.data());
  return buffer.data();
}

void WeightFile::fill(const Parameter& parameter, const io::TensorData& data, float* values) const {
  const int64_t size = data.size();
  BERTHA_CHECK(size <= parameter.size(), "{}: {} elements", parameter.name, size);
  const std::span<float> to(values, static_cast<size_t>(size));
  if (place(parameter.name).transposed && parameter.shape.rank() == 2) {
    std::vector<float> columns(to.size());
    io::convert_to_f32(data, columns);
    transpose(columns, parameter.shape[0], parameter.shape[1], values);
  } else {
    io::convert_to_f32(data, to);
  }
  std::fill(values + size, values + parameter.size(), 0.0F);
}

LoadReport load_weights(const std::string& path, ParameterStore& parameters,
                        const FreshStart& fresh) {
  const WeightFile file(path);
  const ParameterTable& table = parameters.table();
  file.check_family(fresh.config);
  file.check(table);
  LoadReport report;
  report.path = path;
  report.unused = file.unused(table);
  std::vector<float> buffer;
  for (int i = 0; i < static_cast<int>(table.parameters().size()); ++i) {
    if (table[i].absent || !file.has(table[i].name)) {
      parameters.initialise_one(i, fresh.style, fresh.config, fresh.seed);
      if (!table[i].absent) report.fresh.push_back(table[i].name);
      continue;
    }
    parameters.write(i, file.values(table[i], buffer));
    ++report.loaded;
  }
  const int64_t rows = file.vocabulary_rows();
  if (rows < table[table.indices().word].shape[0]) report.padded_from = rows;
  parameters.weights_changed();
  return report;
}

std::vector<std::string> LoadReport::lines() const {
  std::vector<std::string> result = {fmt::format("{}: {} parameters loaded", path, loaded)};
  if (padded_from > 0) {
    result.push_back(fmt::format("vocabulary of {} rows padded with rows of zeros", padded_from));
  }
  if (!fresh.empty()) {
    result.push_back(fmt::format("not in the file, freshly initialised: {}", join(fresh, ", ")));
  }
  if (!unused.empty()) {
    result.push_back(fmt::format("in the file, not in the model: {}", join(unused, ", ")));
  }
  return result;
}

}  // namespace bertha::bert
