#include "bert/weights.h"

#include <array>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/strings.h"
#include "io/tensor_source.h"

namespace bertha::bert {
namespace {

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
  constexpr std::array<std::string_view, 5> kEnds = {
      "adam_m", "adam_v", "global_step", "position_ids", "cls.predictions.decoder.weight"};
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
  for (const char* bare : {"embeddings.", "encoder.", "pooler."}) {
    if (name.starts_with(bare)) name.insert(0, "bert.");
  }
  replace_end(name, ".gamma", ".weight");
  replace_end(name, ".beta", ".bias");
  replace_all(name, "intermediate.dense.", "intermediate.dense_act.");
  replace_all(name, "pooler.dense.", "pooler.dense_act.");
  replace_all(name, "predictions.transform.dense.", "predictions.transform.dense_act.");
  if (name == "cls.predictions.decoder.bias") name = "cls.predictions.bias";
  return mapped;
}

namespace {

std::vector<int64_t> extents_of(const Shape& shape, bool transposed) {
  std::vector<int64_t> extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
  if (transposed) std::swap(extents.front(), extents.back());
  return extents;
}

/// [rows, columns] from [columns, rows].
std::vector<float> transpose(const std::vector<float>& from, int64_t rows, int64_t columns) {
  std::vector<float> to(from.size());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      to[static_cast<size_t>(r * columns + c)] = from[static_cast<size_t>(c * rows + r)];
    }
  }
  return to;
}

/// One load: where each parameter stands in the file, what does not fit, what was done.
class Loader {
 public:
  Loader(const std::string& path, ParameterStore& parameters, const FreshStart& fresh)
      : source_(io::open_weights(path)), parameters_(parameters), fresh_(fresh) {
    report_.path = path;
  }

  LoadReport load() {
    find_places();
    refuse_misfits();
    const auto count = static_cast<int>(parameters_.table().parameters().size());
    for (int i = 0; i < count; ++i) load_one(i);
    parameters_.weights_changed();
    return std::move(report_);
  }

 private:
  struct Place {
    const io::TensorInfo* info = nullptr;
    bool transposed = false;
  };

  void find_places() {
    for (const io::TensorInfo& info : source_->tensors()) {
      const std::optional<MappedName> mapped = map_name(info.name);
      if (!mapped) continue;
      const int index = parameters_.table().find(mapped->name);
      if (index < 0) {
        report_.unused.push_back(info.name);
      } else if (!places_.contains(index)) {
        places_[index] = {&info, mapped->transposed};
      }
    }
    if (!places_.contains(parameters_.table().indices().layers[0].query_weight)) {
      fail("{}: no tensor of it is a parameter of a BERT encoder ({} tensors{})", source_->path(),
           source_->tensors().size(),
           source_->tensors().empty() ? std::string()
                                      : fmt::format(", the first {}", source_->tensors()[0].name));
    }
  }

  /// True where the file's rows may be padded to the model's: same columns, up to 7 rows short.
  bool pads(int index, const std::vector<int64_t>& found) const {
    const ModelIndices& i = parameters_.table().indices();
    const Shape& shape = parameters_.table()[index].shape;
    const bool vocabulary = index == i.word || index == i.mlm_bias;
    return vocabulary && std::ssize(found) == shape.rank() && found[0] < shape[0] &&
           found[0] > shape[0] - 8 && (shape.rank() == 1 || found[1] == shape[1]);
  }

  void refuse_misfits() const {
    std::vector<std::string> misfits;
    for (const auto& [index, place] : places_) {
      const Parameter& parameter = parameters_.table()[index];
      if (place.info->shape == extents_of(parameter.shape, place.transposed) ||
          pads(index, place.info->shape)) {
        continue;
      }
      misfits.push_back(fmt::format("{} is {}, the model needs {}", place.info->name,
                                    io::shape_string(place.info->shape),
                                    parameter.shape.to_string()));
    }
    if (!misfits.empty())
      fail("{} does not fit the config: {}", source_->path(), join(misfits, "; "));
  }

  void load_one(int index) {
    const auto place = places_.find(index);
    const Parameter& parameter = parameters_.table()[index];
    if (place == places_.end()) {
      parameters_.initialise_one(index, fresh_.style, fresh_.config, fresh_.seed);
      report_.fresh.push_back(parameter.name);
      return;
    }
    const io::TensorInfo& info = *place->second.info;
    int64_t size = 1;
    for (const int64_t extent : info.shape) size *= extent;
    std::vector<float> values(static_cast<size_t>(size));
    source_->read_f32(info.name, values);
    if (place->second.transposed) {
      values = transpose(values, parameter.shape[0], parameter.shape[1]);
    }
    if (size < parameter.size()) report_.padded_from = info.shape[0];
    values.resize(static_cast<size_t>(parameter.size()), 0.0F);
    parameters_.write(index, values.data());
    ++report_.loaded;
  }

  std::unique_ptr<io::TensorSource> source_;
  ParameterStore& parameters_;
  const FreshStart& fresh_;
  std::map<int, Place> places_;
  LoadReport report_;
};

}  // namespace

LoadReport load_weights(const std::string& path, ParameterStore& parameters,
                        const FreshStart& fresh) {
  return Loader(path, parameters, fresh).load();
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
