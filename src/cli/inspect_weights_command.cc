#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "bert/config.h"
#include "bert/weights.h"
#include "cli/inspect_commands.h"
#include "core/error.h"
#include "io/weights/tensor_source.h"
#include "io/weights/torch_file.h"
#include "train/checkpoint.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Statistics {
  double norm = 0;  ///< of the finite elements
  float least = 0;
  float most = 0;
  int64_t nan = 0;
  int64_t infinite = 0;
};

std::vector<float> read(const io::TensorSource& source, const io::TensorInfo& info) {
  const io::TensorData data = source.read(info.name);
  std::vector<float> values(static_cast<size_t>(data.size()));
  io::convert_to_f32(data, values);
  return values;
}

Statistics statistics_of(const std::vector<float>& values) {
  Statistics result;
  double square = 0;
  bool first = true;
  for (const float value : values) {
    if (std::isnan(value)) {
      ++result.nan;
    } else if (std::isinf(value)) {
      ++result.infinite;
    } else {
      square += static_cast<double>(value) * static_cast<double>(value);
      result.least = first ? value : std::min(result.least, value);
      result.most = first ? value : std::max(result.most, value);
      first = false;
    }
  }
  result.norm = std::sqrt(square);
  return result;
}

Json tensors_of(const io::TensorSource& source) {
  Json list = Json::array();
  for (const io::TensorInfo& info : source.tensors()) {
    const Statistics s = statistics_of(read(source, info));
    list.push_back({{"name", info.name},
                    {"dtype", name_of(info.dtype)},
                    {"shape", info.shape},
                    {"norm", s.norm},
                    {"min", s.least},
                    {"max", s.most},
                    {"nan", s.nan},
                    {"infinite", s.infinite}});
  }
  return list;
}

/// The config beside the weights, or null.
Json config_of(const std::string& path) {
  std::error_code ignored;
  const fs::path file(path);
  const fs::path folder = fs::is_directory(file, ignored) ? file : file.parent_path();
  for (const char* name : {"bert_config.json", "config.json"}) {
    if (!fs::is_regular_file(folder / name, ignored)) continue;
    const bert::Config config = bert::load_config((folder / name).string());
    return Json::parse(bert::recipe_config_json(config));
  }
  return nullptr;
}

/// The settings of the optimizer's first group that are numbers.
Json optimizer_of(const io::PickleValue& root) {
  using Kind = io::PickleValue::Kind;
  const io::PickleValue* optimizer = root.find("optimizer");
  const io::PickleValue* groups = optimizer == nullptr ? nullptr : optimizer->find("param_groups");
  if (groups == nullptr || groups->items().empty()) return nullptr;
  Json result;
  const auto items = groups->items()[0]->items();
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!items[i]->is(Kind::kString)) continue;
    const std::string key(items[i]->text());
    if (items[i + 1]->is(Kind::kInteger)) result[key] = items[i + 1]->integer(key);
    if (items[i + 1]->is(Kind::kReal)) result[key] = items[i + 1]->real(key);
    if (items[i + 1]->is(Kind::kBool)) result[key] = items[i + 1]->boolean(key);
  }
  return result;
}

Json run_of(const train::RunRecord& run) {
  Json settings;
  for (const auto& [name, value] : run.settings) settings[name] = value;
  return {{"run_id", run.run_id},
          {"rows_consumed", run.rows_consumed},
          {"skipped_steps", run.skipped_steps},
          {"checkpoints", run.written},
          {"settings", settings}};
}

/// Step and history of a training checkpoint, or null for plain weights.
Json training_of(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return nullptr;
  if (!io::TorchFile::matches(io::MappedFile(path).bytes())) return nullptr;
  const io::TorchFile file(path);
  if (file.root().find("optimizer") == nullptr || file.root().find("model") == nullptr) {
    return nullptr;
  }
  const train::CheckpointState state = train::read_checkpoint_state(path);
  Json result = {
      {"epoch", state.epoch}, {"shards", state.files.size()}, {"next_shard", state.file_index}};
  if (state.run) result["step"] = state.step;
  result["optimizer"] = optimizer_of(file.root());
  if (state.run) result["run"] = run_of(*state.run);
  return result;
}

Json describe(const std::string& path) {
  const auto source = io::open_weights(path);
  int64_t elements = 0;
  for (const io::TensorInfo& info : source->tensors()) elements += io::element_count(info.shape);
  Json result = {{"path", path},
                 {"format", source->format()},
                 {"tensors_count", source->tensors().size()},
                 {"elements", elements}};
  if (Json config = config_of(path); !config.is_null()) result["config"] = config;
  if (Json training = training_of(path); !training.is_null()) result["training"] = training;
  result["tensors"] = tensors_of(*source);
  return result;
}

/// Names are those of the file: what is no UTF-8 in them is replaced.
void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string shape_text(const Json& shape) {
  return io::shape_string(shape.get<std::vector<int64_t>>());
}

/// "key  value" lines; an object within indents.
void print_object(const Json& object, size_t indent) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      fmt::print("{:{}}{}\n", "", indent, key);
      print_object(value, indent + 2);
    } else {
      fmt::print("{:{}}{:<30} {}\n", "", indent, key,
                 value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
}

void print_text(const Json& file) {
  for (const auto& [key, value] : file.items()) {
    if (key != "tensors") print_object({{key, value}}, 0);
  }
  size_t widest = 0;
  for (const Json& t : file["tensors"]) {
    widest = std::max(widest, t["name"].get_ref<const std::string&>().size());
  }
  for (const Json& t : file["tensors"]) {
    fmt::print("{:<{}} {:<5} {:<14} norm {:<11.6g} min {:<10.4g} max {:.4g}",
               t["name"].get<std::string>(), std::min<size_t>(widest, 100),
               t["dtype"].get<std::string>(), shape_text(t["shape"]), t["norm"].get<double>(),
               t["min"].get<double>(), t["max"].get<double>());
    if (t["nan"] != 0) fmt::print(" {} NaN", t["nan"].get<int64_t>());
    if (t["infinite"] != 0) fmt::print(" {} infinite", t["infinite"].get<int64_t>());
    fmt::print("\n");
  }
}

/// The tensors of one side under the names of the parameter table, so that files of two formats
/// meet; a tensor that is no parameter keeps its name.
class Side {
 public:
  explicit Side(const std::string& path) : source_(io::open_weights(path)) {
    for (const io::TensorInfo& info : source_->tensors()) {
      const auto mapped = bert::map_name(info.name).value_or(bert::MappedName{info.name, false});
      by_name_.emplace(mapped.name, Entry{&info, mapped.transposed && info.shape.size() == 2});
    }
  }

  struct Entry {
    const io::TensorInfo* info;
    bool transposed;
  };
  const std::map<std::string, Entry>& entries() const { return by_name_; }
  std::vector<int64_t> shape(const Entry& entry) const {
    std::vector<int64_t> shape = entry.info->shape;
    if (entry.transposed) std::swap(shape[0], shape[1]);
    return shape;
  }
  std::vector<float> values(const Entry& entry) const {
    std::vector<float> stored = read(*source_, *entry.info);
    if (!entry.transposed) return stored;
    std::vector<float> transposed(stored.size());
    bert::transpose(stored, entry.info->shape[1], entry.info->shape[0], transposed.data());
    return transposed;
  }

 private:
  std::unique_ptr<io::TensorSource> source_;
  std::map<std::string, Entry> by_name_;
};

/// How two tensors of one size differ; null when they are equal. NaN equals NaN.
Json difference_of(const std::vector<float>& a, const std::vector<float>& b) {
  int64_t count = 0;
  double largest = 0;
  double square = 0;
  double reference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto left = static_cast<double>(a[i]);
    const auto right = static_cast<double>(b[i]);
    reference += right * right;
    if (left == right || (std::isnan(left) && std::isnan(right))) continue;
    ++count;
    const double off = std::abs(left - right);
    if (std::isnan(off) || off > largest) largest = off;
    square += off * off;
  }
  if (count == 0) return nullptr;
  const double relative = reference > 0 ? std::sqrt(square / reference) : std::sqrt(square);
  return {{"differing", count},
          {"of", a.size()},
          {"largest", std::isfinite(largest) ? Json(largest) : Json(nullptr)},
          {"relative", std::isfinite(relative) ? Json(relative) : Json(nullptr)}};
}

/// Cuts the rows off that one of two vocabularies has more, where they are nothing but the zeros
/// that fill the recipe's up to a multiple of 8; false, and nothing done, for any other two
/// tensors.
bool cut_padding(const std::string& name, std::vector<float>& a, std::vector<float>& b,
                 const std::vector<int64_t>& shape_a, const std::vector<int64_t>& shape_b) {
  const bool vocabulary =
      name == "bert.embeddings.word_embeddings.weight" || name == "cls.predictions.bias";
  if (!vocabulary || shape_a.size() != shape_b.size() || shape_a.empty()) return false;
  if (!std::equal(shape_a.begin() + 1, shape_a.end(), shape_b.begin() + 1)) return false;
  std::vector<float>& longer = a.size() > b.size() ? a : b;
  const size_t size = std::min(a.size(), b.size());
  const bool padded = std::abs(shape_a[0] - shape_b[0]) < 8 &&
                      std::all_of(longer.begin() + static_cast<std::ptrdiff_t>(size), longer.end(),
                                  [](float value) { return value == 0; });
  if (padded) longer.resize(size);
  return padded;
}

/// How two tensors differ; null when they are equal.
Json compare(const std::string& name, const Side& left, const Side::Entry& in_left,
             const Side& right, const Side::Entry& in_right) {
  std::vector<float> a = left.values(in_left);
  std::vector<float> b = right.values(in_right);
  const std::vector<int64_t> shape_a = left.shape(in_left);
  const std::vector<int64_t> shape_b = right.shape(in_right);
  if (shape_a != shape_b && !cut_padding(name, a, b, shape_a, shape_b)) {
    return {{"shapes", {shape_a, shape_b}}};
  }
  return difference_of(a, b);
}

Json diff(const std::string& left, const std::string& right) {
  const Side a(left);
  const Side b(right);
  Json result = {{"left", left},
                 {"right", right},
                 {"equal", 0},
                 {"only_left", Json::array()},
                 {"only_right", Json::array()},
                 {"differing", Json::array()}};
  int64_t equal = 0;
  for (const auto& [name, entry] : a.entries()) {
    const auto other = b.entries().find(name);
    if (other == b.entries().end()) {
      result["only_left"].push_back(name);
      continue;
    }
    Json found = compare(name, a, entry, b, other->second);
    if (found.is_null()) {
      ++equal;
      continue;
    }
    found["name"] = name;
    result["differing"].push_back(std::move(found));
  }
  for (const auto& [name, entry] : b.entries()) {
    if (!a.entries().contains(name)) result["only_right"].push_back(name);
  }
  result["equal"] = equal;
  return result;
}

void print_diff(const Json& diff) {
  for (const Json& name : diff["only_left"]) {
    fmt::print("{:<64} only in {}\n", name.get<std::string>(), diff["left"].get<std::string>());
  }
  for (const Json& name : diff["only_right"]) {
    fmt::print("{:<64} only in {}\n", name.get<std::string>(), diff["right"].get<std::string>());
  }
  for (const Json& entry : diff["differing"]) {
    const auto name = entry["name"].get<std::string>();
    if (entry.contains("shapes")) {
      fmt::print("{:<64} {} against {}\n", name, shape_text(entry["shapes"][0]),
                 shape_text(entry["shapes"][1]));
    } else {
      fmt::print("{:<64} {} of {} elements differ, largest {}, relative {}\n", name,
                 entry["differing"].dump(), entry["of"].dump(), entry["largest"].dump(),
                 entry["relative"].dump());
    }
  }
  fmt::print("{} tensors are equal\n", diff["equal"].get<int64_t>());
}

}  // namespace

int inspect_weights(const InspectOptions& options) {
  if (options.diff.empty()) {
    const Json file = describe(options.path);
    if (options.json) print_json(file);
    if (!options.json) print_text(file);
    return 0;
  }
  const Json found = diff(options.path, options.diff);
  if (options.json) print_json(found);
  if (!options.json) print_diff(found);
  const bool same =
      found["only_left"].empty() && found["only_right"].empty() && found["differing"].empty();
  return same ? 0 : 1;
}

}  // namespace bertha::cli
