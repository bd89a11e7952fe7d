#pragma once

// One interface for every kind of weight file: named tensors with their shapes, under the file's
// names. The model interprets the names.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/weights/carried_texts.h"
#include "io/weights/tensor_data.h"

namespace bertha::io {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  /// The file's name of an element type that this program does not convert, as "F8_E4M3"; else
  /// empty. Such a tensor is listed, and `dtype` says nothing. Reading it throws Error.
  std::string foreign_type = {};

  /// The name of the element type, for messages.
  std::string type_name() const { return foreign_type.empty() ? name_of(dtype) : foreign_type; }
};

/// An open weight file or set of files. One thread at a time may use it.
class TensorSource {
 public:
  TensorSource(const TensorSource&) = delete;
  TensorSource& operator=(const TensorSource&) = delete;
  virtual ~TensorSource() = default;

  /// The opened path, for messages.
  const std::string& path() const { return path_; }
  /// "torch", "safetensors" or "tensorflow".
  virtual const char* format() const = 0;
  /// All tensors in the order of the file, under its names.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// The tensor of this name, or null.
  const TensorInfo* find(std::string_view name) const;
  /// Names of classes and functions in the file ("posix.system") that weights do not need. They are
  /// code that a reader of pickles would run. This program never does.
  virtual std::vector<std::string> refused_globals() const { return {}; }
  /// Config and vocabulary, where the file is a checkpoint of pre-training that carries them.
  virtual CarriedTexts carried_texts() const { return {}; }
  /// Reads a tensor and checks its checksum if the format has one. The view must not outlive the
  /// source. Throws Error when there is no tensor of this name or it is damaged.
  TensorData read(std::string_view name) const;
  /// Reads a tensor and converts it to f32. Throws Error with both sizes when `to` has another
  /// size.
  void read_f32(std::string_view name, std::span<float> to) const;

 protected:
  explicit TensorSource(std::string path) : path_(std::move(path)) {}
  /// Adds a tensor. Throws Error when the name exists.
  void add(TensorInfo info);
  virtual TensorData read_at(size_t index) const = 0;

 private:
  std::string path_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
};

/// Opens weights; the kind of `path` decides:
///   a folder: model.safetensors.index.json with its shards, model.safetensors, the same two of
///     pytorch_model.bin, a bert_model.ckpt of TensorFlow, or the newest ckpt_<number>.pt that can
///     be opened, in this order;
///   a file of torch.save: its state dict (state_dict.h);
///   a safetensors file, or the index of several files;
///   a TensorFlow bundle: its prefix, as in "bert_model.ckpt", or its .index.
/// Throws Error that states what was found instead.
std::unique_ptr<TensorSource> open_weights(const std::string& path);

}  // namespace bertha::io
