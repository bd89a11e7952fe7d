#include "io/weights/tensor_source.h"

#include <array>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "io/file_status.h"
#include "io/foreign_file.h"
#include "io/shallow_json.h"
#include "io/weights/checkpoint_names.h"
#include "io/weights/safetensors.h"
#include "io/weights/state_dict.h"
#include "io/weights/tf_bundle.h"
#include "io/weights/torch_file.h"

namespace bertha::io {
namespace {

namespace fs = std::filesystem;

/// Weight files of a Hugging Face folder, in order of preference.
constexpr std::array kFolderFiles = {"model.safetensors.index.json", "model.safetensors",
                                     "pytorch_model.bin.index.json", "pytorch_model.bin"};
constexpr int64_t kMaxIndexBytes = int64_t{1} << 19;
constexpr size_t kMaxNameBytes = 4096;

class TorchSource : public TensorSource {
 public:
  explicit TorchSource(const std::string& path) : TensorSource(path), file_(path) {
    const auto items = find_state_dict(file_.root(), path).items();
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (!items[i]->is(PickleValue::Kind::kString) || !TorchFile::is_tensor(*items[i + 1])) {
        continue;
      }
      add(file_.info(*items[i + 1], items[i]->text()));
      values_.push_back(items[i + 1]);
    }
    reject_repetition();
  }
  const char* format() const override { return "torch"; }
  std::vector<std::string> refused_globals() const override { return file_.refused_globals(); }
  CarriedTexts carried_texts() const override { return io::carried_texts(file_.root()); }

 private:
  /// Two names may share a tensor, and a tensor may repeat its elements. A small file that expands
  /// to a very large amount of data is hostile.
  void reject_repetition() const {
    constexpr int64_t kMaxRatio = 4;
    constexpr int64_t kFreeBytes = int64_t{1} << 25;
    const int64_t most = kMaxRatio * file_.size_bytes() + kFreeBytes;
    int64_t total = 0;
    for (const TensorInfo& info : tensors()) {
      if (!info.foreign_type.empty()) continue;  // never read
      const int64_t size = element_count(info.shape) * size_of(info.dtype);
      if (size > most - total) {
        fail("{}: tensors of more than {} bytes in a file of {}", path(), most, file_.size_bytes());
      }
      total += size;
    }
  }
  TensorData read_at(size_t index) const override {
    return file_.tensor(*values_[index], tensors()[index].name);
  }

  TorchFile file_;
  std::vector<const PickleValue*> values_;
};

class SafetensorsSource : public TensorSource {
 public:
  explicit SafetensorsSource(const std::string& path) : TensorSource(path), file_(path) {
    for (const SafetensorsFile::Entry& entry : file_.entries()) {
      add({entry.name, entry.dtype, entry.shape, entry.foreign_type});
    }
  }
  const char* format() const override { return "safetensors"; }

 private:
  TensorData read_at(size_t index) const override { return file_.tensor(file_.entries()[index]); }

  SafetensorsFile file_;
};

class TfSource : public TensorSource {
 public:
  explicit TfSource(const std::string& prefix) : TensorSource(prefix), bundle_(prefix) {
    for (const TfBundle::Entry& entry : bundle_.entries()) {
      add({entry.name, entry.dtype, entry.shape});
    }
  }
  const char* format() const override { return "tensorflow"; }

 private:
  TensorData read_at(size_t index) const override {
    return bundle_.tensor(bundle_.entries()[index]);
  }

  TfBundle bundle_;
};

/// Reads {"weight_map": {tensor: file}}, where files are names beside the index. Returns file by
/// tensor.
std::map<std::string, std::string> read_index(const std::string& path) {
  const MappedFile file(path);
  if (file.size_bytes() > kMaxIndexBytes) fail("{}: an index of {} bytes", path, file.size_bytes());
  const auto json = parse_json(file.text());
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (json.is_discarded() || !json.is_object() || map == json.end() || !map->is_object()) {
    fail("{}: expected weights, or the index of their files: a JSON object with \"weight_map\"",
         path);
  }
  std::map<std::string, std::string> names;
  for (const auto& [name, value] : map->items()) {
    if (!value.is_string()) fail("{}: tensor {}: expected a file name", path, name);
    const std::string shard = value.get<std::string>();
    if (shard.empty() || fs::path(shard).filename() != shard || shard == "..") {
      fail("{}: tensor {}: \"{}\" is not the name of a file beside the index", path, name, shard);
    }
    names[name] = shard;
  }
  return names;
}

/// The files of an index as one source, torch or safetensors.
class ShardedSource : public TensorSource {
 public:
  explicit ShardedSource(const std::string& path) : TensorSource(path) {
    const std::map<std::string, std::string> names = read_index(path);
    std::map<std::string, bool> opened;
    for (const auto& [name, shard] : names) {
      if (!opened[shard]) open(shard);
      opened[shard] = true;
    }
    for (const auto& [name, shard] : names) {
      if (find(name) == nullptr) fail("{}: tensor {} is not in {}", path, name, shard);
    }
    if (files_.empty()) fail("{}: the index names no file", path);
  }
  const char* format() const override { return files_.front()->format(); }

 private:
  void open(const std::string& shard) {
    const std::string file = (fs::path(path()).parent_path() / shard).string();
    // A folder or an index here could recurse without end.
    if (!io::is_regular_file(file) || shard.ends_with(".json")) {
      fail("{}: {} is not a weight file", path(), file);
    }
    files_.push_back(open_weights(file));
    for (const TensorInfo& info : files_.back()->tensors()) {
      add(info);
      owners_.push_back(files_.back().get());
    }
  }
  TensorData read_at(size_t index) const override {
    return owners_[index]->read(tensors()[index].name);
  }

  std::vector<std::unique_ptr<TensorSource>> files_;
  std::vector<const TensorSource*> owners_;
};

/// The newest checkpoint of pre-training that can be opened; null where there is none. Throws the
/// Error of the newest one where there are some and all are damaged.
std::unique_ptr<TensorSource> open_newest_checkpoint(const fs::path& folder) {
  std::exception_ptr newest_fault;
  for (const auto& [number, path] : list_checkpoints(folder.string())) {
    try {
      return open_weights(path);
    } catch (const Error&) {
      if (!newest_fault) newest_fault = std::current_exception();
    }
  }
  if (newest_fault) std::rethrow_exception(newest_fault);
  return nullptr;
}

std::unique_ptr<TensorSource> open_folder(const fs::path& folder) {
  const auto has = [&](const char* name) { return io::exists(folder / name); };
  for (const char* name : kFolderFiles) {
    if (has(name)) return open_weights((folder / name).string());
  }
  if (has("bert_model.ckpt.index")) return open_weights((folder / "bert_model.ckpt").string());
  if (auto checkpoint = open_newest_checkpoint(folder)) return checkpoint;
  std::string others;  // weights of other programs, so that the message can say what is there
  for (const char* name : {"tf_model.h5", "flax_model.msgpack", "model.onnx", "onnx/model.onnx",
                           "saved_model.pb", "checkpoint"}) {
    if (has(name)) others += fmt::format("{}{}", others.empty() ? "; it has " : ", ", name);
  }
  fail(
      "{}: the folder has neither model.safetensors, pytorch_model.bin, an index of such files, "
      "bert_model.ckpt.index nor ckpt_<number>.pt{}{}",
      folder.string(), others,
      others.empty() ? ""
                     : ". A version of transformers that reads those can save the weights as "
                       "model.safetensors");
}

}  // namespace

const TensorInfo* TensorSource::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

TensorData TensorSource::read(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) fail("{}: there is no tensor {}", path_, name);
  if (const std::string& type = tensors_[found->second].foreign_type; !type.empty()) {
    fail("{}: tensor {} has the element type {}, which is not supported", path_, name, type);
  }
  return read_at(found->second);
}

void TensorSource::read_f32(std::string_view name, std::span<float> to) const {
  const TensorData data = read(name);
  if (data.size() != static_cast<int64_t>(to.size())) {
    fail("{}: tensor {} of {} has {} elements, expected {}", path_, name, shape_string(data.shape),
         data.size(), to.size());
  }
  convert_to_f32(data, to);
}

void TensorSource::add(TensorInfo info) {
  if (info.name.size() > kMaxNameBytes) {
    fail("{}: a tensor's name of {} bytes", path_, info.name.size());
  }
  if (!by_name_.emplace(info.name, tensors_.size()).second) {
    fail("{}: tensor {} occurs twice", path_, info.name);
  }
  tensors_.push_back(std::move(info));
}

std::unique_ptr<TensorSource> open_weights(const std::string& path) {
  if (is_folder(path)) return open_folder(path);
  constexpr std::string_view kIndex = ".index";
  if (!io::exists(path) && io::exists(path + std::string(kIndex))) {
    return std::make_unique<TfSource>(path);
  }
  bool torch = false;
  bool safetensors = false;
  std::string foreign;
  {
    const MappedFile file(path);
    torch = TorchFile::matches(file.bytes());
    safetensors = SafetensorsFile::matches(file.bytes());
    foreign = describe_foreign_file(file.text());
  }
  if (torch) return std::make_unique<TorchSource>(path);
  if (safetensors) return std::make_unique<SafetensorsSource>(path);
  if (path.ends_with(kIndex)) {
    return std::make_unique<TfSource>(path.substr(0, path.size() - kIndex.size()));
  }
  if (path.ends_with(".json")) return std::make_unique<ShardedSource>(path);
  fail("{}: expected weights: a torch.save or safetensors file or a TensorFlow checkpoint{}", path,
       foreign.empty() ? "" : "; this is " + foreign);
}

}  // namespace bertha::io
