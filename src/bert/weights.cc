#include "bert/weights.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <set>
#include <span>
#include <utility>

#include "bert/hub_names.h"
#include "bert/int8_parameters.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "core/strings.h"

namespace bertha::bert {
namespace {

constexpr int64_t kMostLayers = 1 << 20;
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

/// The name of the weight whose scales a tensor of compressed-tensors holds; nothing for others.
std::optional<std::string> weight_of_scale(std::string_view name) {
  constexpr std::string_view kEnd = ".weight_scale";
  if (!name.ends_with(kEnd)) return std::nullopt;
  return std::string(name.substr(0, name.size() - kEnd.size())) + ".weight";
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

// What wrappers put into names, at any depth: torch.compile, FSDP, activation checkpointing.
constexpr std::array<std::string_view, 3> kWrapperParts = {"_orig_mod.", "_fsdp_wrapped_module.",
                                                           "_checkpoint_wrapped_module."};

// Names of encoders before "embeddings.": those that map_name() knows, and those of models of
// another kind. Neither is a prefix of a wrapper.
constexpr std::array<std::string_view, 3> kEncoders = {"bert", "roberta", "distilbert"};
constexpr std::array<std::string_view, 10> kOtherModels = {
    "xlm_roberta", "electra",    "albert",   "deberta",    "mpnet",
    "longformer",  "mobilebert", "layoutlm", "nomic_bert", "data2vec_text"};

std::string without_wrappers(std::string_view name) {
  std::string text(name);
  for (const std::string_view part : kWrapperParts) {
    size_t at = 0;
    while ((at = text.find(part, at)) != std::string::npos) {
      const bool whole = at == 0 || text[at - 1] == '.';
      if (whole) {
        text.erase(at, part.size());
      } else {
        at += part.size();
      }
    }
  }
  return text;
}

/// What stands before "bert." or "embeddings." in the name of the word embeddings; nothing for
/// other tensors and other models.
std::optional<std::string> encoder_prefix(std::string_view name) {
  const bool slashes = name.find('/') != std::string_view::npos;
  const size_t at =
      name.find(slashes ? "embeddings/word_embeddings" : "embeddings.word_embeddings.");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view prefix = name.substr(0, at);
  const char separator = slashes ? '/' : '.';
  if (!prefix.empty() && prefix.back() != separator) return std::nullopt;
  const auto last_part = [&](std::string_view part) {
    const std::string whole = std::string(part) + separator;
    return prefix == whole || prefix.ends_with(separator + whole);
  };
  if (std::any_of(kOtherModels.begin(), kOtherModels.end(), last_part)) return std::nullopt;
  for (const std::string_view encoder : kEncoders) {
    if (last_part(encoder)) prefix.remove_suffix(encoder.size() + 1);
  }
  return std::string(prefix);
}

bool is_averaged(const std::string& prefix) {
  return prefix.find("ema") != std::string::npos;
}

}  // namespace

FileNames::FileNames(const io::TensorSource& source) {
  std::set<std::string> found;
  for (const io::TensorInfo& info : source.tensors()) {
    if (auto prefix = encoder_prefix(without_wrappers(info.name))) found.insert(std::move(*prefix));
  }
  if (found.contains("")) return;
  // A file with trained and averaged weights means the trained ones.
  if (found.size() > 1) std::erase_if(found, is_averaged);
  if (found.size() == 1) prefix_ = *found.begin();
  if (found.size() > 1) rivals_.assign(found.begin(), found.end());
}

std::string FileNames::bare(std::string_view file_name) const {
  std::string name = without_wrappers(file_name);
  if (name.starts_with(prefix_)) name.erase(0, prefix_.size());
  return name;
}

std::optional<MappedName> FileNames::map(std::string_view file_name) const {
  return map_name(bare(file_name));
}

namespace {

/// The first parts of the names, "model.encoder.*", each once, for messages.
std::string outline(const std::vector<io::TensorInfo>& tensors) {
  constexpr size_t kMost = 10;
  std::vector<std::string> heads;
  for (const io::TensorInfo& info : tensors) {
    const size_t first = info.name.find_first_of("./");
    const size_t second =
        first == std::string::npos ? first : info.name.find_first_of("./", first + 1);
    std::string head = info.name.substr(0, std::min<size_t>(second, 100));
    if (second != std::string::npos) head += ".*";
    if (std::find(heads.begin(), heads.end(), head) == heads.end()) heads.push_back(head);
    if (heads.size() > kMost) {
      heads.back() = "…";
      break;
    }
  }
  return heads.empty() ? "" : ": " + join(heads, ", ");
}

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

/// False for integers and for types that are not converted.
bool has_fractions(const io::TensorInfo& info) {
  const DType type = info.dtype;
  return info.foreign_type.empty() && (type == DType::kF32 || type == DType::kF16 ||
                                       type == DType::kBF16 || type == DType::kF64);
}

std::string misfit(const io::TensorInfo& info, const Parameter& parameter) {
  return fmt::format("{} is {}, the model needs {}", info.name, io::shape_string(info.shape),
                     parameter.shape.to_string());
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

WeightFile::WeightFile(const std::string& path)
    : source_(io::open_weights(path)), names_(*source_) {
  for (const io::TensorInfo& info : source_->tensors()) add(info);
  for (const io::TensorInfo& info : source_->tensors()) {
    if (const auto weight = weight_of_scale(info.name)) add_scale(info, *weight);
    if (info.name.ends_with(".weight_zero_point")) {
      fail("{}: it has {}; quantised weights with zero points are not supported", path, info.name);
    }
  }
  if (!has(kWordEmbeddings) || !has("bert.encoder.layer.0.attention.self.query.weight")) refuse();
  if (vocabulary_rows() == 0) {
    fail(
        "{}: {} is empty, as DeepSpeed's ZeRO leaves it; its zero_to_fp32.py merges the partitions",
        source_->path(), place(kWordEmbeddings).info->name);
  }
}

void WeightFile::add(const io::TensorInfo& info) {
  const std::optional<MappedName> mapped = names_.map(info.name);
  // A file may hold a parameter under several names; the first one counts.
  if (mapped) places_.emplace(mapped->name, Place{&info, mapped->transposed});
  // An untied decoder adds its own bias, and the head's is of no use.
  if (mapped && info.name.ends_with("decoder.bias")) places_[mapped->name].info = &info;
  if (!family_) family_ = family_of_name(names_.bare(info.name));
}

void WeightFile::add_scale(const io::TensorInfo& info, std::string_view weight) {
  const std::optional<MappedName> mapped = names_.map(weight);
  if (!mapped) return;
  const auto found = places_.find(mapped->name);
  if (found != places_.end() && found->second.info->name == weight) found->second.scale = &info;
}

bool WeightFile::is_int8(const std::string& parameter) const {
  const Place& found = place(parameter);
  return found.info->dtype == DType::kI8 && found.info->foreign_type.empty() &&
         found.scale != nullptr;
}

bool WeightFile::has_int8() const {
  return std::any_of(places_.begin(), places_.end(),
                     [this](const auto& item) { return is_int8(item.first); });
}

void WeightFile::read_int8(const Parameter& parameter, const ops::Int8Channels& to) const {
  const Place& found = place(parameter.name);
  const io::TensorData integers = source_->read(found.info->name);
  const auto bytes = std::as_writable_bytes(to.integers);
  BERTHA_CHECK(integers.bytes.size() == bytes.size(), "{}", parameter.name);
  std::copy(integers.bytes.begin(), integers.bytes.end(), bytes.begin());
  const io::TensorData scales = source_->read(found.scale->name);
  io::convert_to_f32(scales, to.scales.first(static_cast<size_t>(scales.size())));
  if (scales.size() == 1) std::fill(to.scales.begin(), to.scales.end(), to.scales[0]);
  for (const float scale : to.scales) {
    if (!std::isfinite(scale)) {
      fail("{}: {} has NaN or infinite elements", source_->path(), found.scale->name);
    }
  }
}

void WeightFile::refuse() const {
  const auto& all = source_->tensors();
  if (!names_.rivals().empty()) {
    fail("{}: it has several encoders, under {}; save the one that you mean", source_->path(),
         join(names_.rivals(), ", "));
  }
  const bool objects = std::any_of(all.begin(), all.end(), [](const io::TensorInfo& info) {
    return info.name.ends_with("/.ATTRIBUTES/VARIABLE_VALUE");
  });
  if (objects) {
    fail(
        "{}: a checkpoint of TensorFlow 2, whose names are those of Python objects{}. transformers "
        "has a script for such files, convert_bert_original_tf2_checkpoint_to_pytorch.py",
        source_->path(), outline(all));
  }
  fail("{}: no tensor of it is a parameter of a BERT encoder; it has {} tensors{}", source_->path(),
       all.size(), outline(all));
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

/// Empty for a tensor that the parameter can be read from.
std::string WeightFile::misfit_of(const Place& place, const Parameter& parameter,
                                  bool vocabulary) const {
  const io::TensorInfo& info = *place.info;
  const bool swapped = place.transposed && parameter.shape.rank() == 2;
  const bool fits = info.shape == extents_of(parameter.shape, swapped);
  if (!fits && !pads(parameter, vocabulary, info.shape)) return misfit(info, parameter);
  if (has_fractions(info)) return "";
  const bool integers = info.foreign_type.empty() && info.dtype == DType::kI8;
  if (place.scale == nullptr || !integers) {
    return fmt::format("{} holds {}, which are no weights without the scales of their quantization",
                       info.name, info.type_name());
  }
  if (parameter.shape.rank() != 2 || !fits || swapped) {
    return fmt::format("{} holds {}, which are read for linear modules alone", info.name,
                       info.type_name());
  }
  const int64_t channels = parameter.shape[0];
  const std::vector<int64_t>& shape = place.scale->shape;
  const int64_t count = io::element_count(shape);
  const bool in_rows = shape.empty() || shape[0] == count;
  if (!has_fractions(*place.scale) || !in_rows || (count != channels && count != 1)) {
    return fmt::format("{} is {} {}, expected one scale, or one for each of {} channels",
                       place.scale->name, place.scale->type_name(), io::shape_string(shape),
                       channels);
  }
  return "";
}

void WeightFile::check(const ParameterTable& table) const {
  std::vector<std::string> misfits;
  for (int index = 0; index < static_cast<int>(table.parameters().size()); ++index) {
    const Parameter& parameter = table[index];
    const auto found = places_.find(parameter.name);
    if (found == places_.end()) continue;
    const std::string misfit =
        misfit_of(found->second, parameter, table.has_vocabulary_rows(index));
    if (!misfit.empty()) misfits.push_back(misfit);
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
    const std::optional<MappedName> mapped = names_.map(info.name);
    const bool repeats = mapped && mapped->name == kDecoder;  // the word embeddings, where tied
    if (weight_of_scale(info.name)) continue;
    if (mapped && !repeats && table.find(mapped->name) < 0) names.push_back(info.name);
  }
  return names;
}

int64_t WeightFile::layers() const {
  constexpr std::string_view kLayer = "bert.encoder.layer.";
  int64_t layers = 0;
  for (const auto& [name, place] : places_) {
    if (!name.starts_with(kLayer)) continue;
    int64_t number = -1;
    std::from_chars(name.data() + kLayer.size(), name.data() + name.size(), number);
    layers = std::max(layers, number < kMostLayers ? number + 1 : 0);
  }
  return layers;
}

void WeightFile::read(const Parameter& parameter, float* values) const {
  if (is_int8(parameter.name)) {
    std::vector<int8_t> integers(static_cast<size_t>(parameter.size()));
    std::vector<float> scales(static_cast<size_t>(parameter.shape[0]));
    read_int8(parameter, {.integers = integers, .scales = scales});
    return ops::dequantize_channels(integers, scales, std::span(values, integers.size()));
  }
  fill(parameter, source_->read(place(parameter.name).info->name), values);
}

const float* WeightFile::values(const Parameter& parameter, std::vector<float>& buffer) const {
  const Place& found = place(parameter.name);
  if (is_int8(parameter.name)) {
    buffer.resize(static_cast<size_t>(parameter.size()));
    read(parameter, buffer.data());
    return buffer.data();
  }
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

namespace {

/// False where an element is NaN or infinite: all bits of its exponent are set.
bool is_finite(const float* values, int64_t size) {
  constexpr uint32_t kExponent = 0x7f800000;
  constexpr int64_t kBlock = int64_t{1} << 16;
  std::atomic<bool> finite = true;
  parallel_for((size + kBlock - 1) / kBlock, 1, [&](int64_t block) {
    uint32_t found = 0;
    for (int64_t i = block * kBlock; i < std::min(size, (block + 1) * kBlock); ++i) {
      const auto bits = std::bit_cast<uint32_t>(values[i]);
      found |= static_cast<uint32_t>((bits & kExponent) == kExponent);
    }
    if (found != 0) finite = false;
  });
  return finite;
}

}  // namespace

namespace {

/// Integers that the file and the store share are not rounded again.
void load_parameter(const WeightFile& file, int index, ParameterStore& parameters,
                    std::vector<float>& buffer, LoadReport& report) {
  const Parameter& parameter = parameters.table()[index];
  const bool to_int8 = parameters.int8() != nullptr && parameters.int8()->holds(index);
  if (to_int8 && file.is_int8(parameter.name)) {
    std::vector<int8_t> integers(static_cast<size_t>(parameter.size()));
    std::vector<float> scales(static_cast<size_t>(parameter.shape[0]));
    const ops::Int8Channels channels = {.integers = integers, .scales = scales};
    file.read_int8(parameter, channels);
    parameters.int8()->write(index, channels);
    return;
  }
  const float* const values = file.values(parameter, buffer);
  const bool finite = is_finite(values, parameter.size());
  if (!finite && to_int8) {
    fail("{}: {} has NaN or infinite elements, which no 8-bit integer stands for", report.path,
         parameter.name);
  }
  if (!finite) report.not_finite.push_back(parameter.name);
  parameters.write(index, values);
}

}  // namespace

LoadReport load_weights(const std::string& path, ParameterStore& parameters,
                        const FreshStart& fresh) {
  const WeightFile file(path);
  const ParameterTable& table = parameters.table();
  file.check_family(fresh.config);
  file.check(table);
  LoadReport report;
  report.path = path;
  report.unused = file.unused(table);
  report.layers = fresh.config.num_hidden_layers;
  report.file_layers = file.layers();
  std::vector<float> buffer;
  for (int i = 0; i < static_cast<int>(table.parameters().size()); ++i) {
    if (table[i].absent || !file.has(table[i].name)) {
      parameters.initialise_one(i, fresh.style, fresh.config, fresh.seed);
      if (!table[i].absent) report.fresh.push_back(table[i].name);
      continue;
    }
    load_parameter(file, i, parameters, buffer, report);
    ++report.loaded;
  }
  parameters.weights_changed();
  return report;
}

std::vector<std::string> LoadReport::lines() const {
  std::vector<std::string> result = {fmt::format("{}: {} parameters loaded", path, loaded)};
  if (!fresh.empty()) {
    result.push_back(fmt::format("not in the file, freshly initialised: {}", join(fresh, ", ")));
  }
  if (!unused.empty()) {
    result.push_back(fmt::format("in the file, not in the model: {}", join(unused, ", ")));
  }
  return result;
}

std::vector<std::string> LoadReport::warnings() const {
  constexpr size_t kShown = 3;
  std::vector<std::string> result;
  if (!not_finite.empty()) {
    const size_t shown = std::min(kShown, not_finite.size());
    const std::string more =
        not_finite.size() > shown ? fmt::format(" and {} more", not_finite.size() - shown) : "";
    result.push_back(fmt::format("{}: NaN or infinite elements in {}{}; bertha inspect counts them",
                                 path, join(std::span(not_finite).first(shown), ", "), more));
  }
  if (file_layers > layers) {
    result.push_back(fmt::format(
        "{}: it has {} layers, and the config says num_hidden_layers {}: the others are left out",
        path, file_layers, layers));
  }
  return result;
}

}  // namespace bertha::bert
