#pragma once

// One door to every kind of weight file: named tensors with their shapes, under the names of the
// file. What the names mean is the model's affair.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/weights/tensor_data.h"

namespace bertha::io {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

/// An open weight file or set of files, for one thread at a time.
class TensorSource {
 public:
  TensorSource(const TensorSource&) = delete;
  TensorSource& operator=(const TensorSource&) = delete;
  virtual ~TensorSource() = default;

  /// What was opened, for messages: the path.
  const std::string& path() const { return path_; }
  /// "torch", "safetensors" or "tensorflow".
  virtual const char* format() const = 0;
  /// All tensors, in the order of the file. A leading "module.", which data-parallel training
  /// puts before every name, is removed.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// The tensor of this name, or null.
  const TensorInfo* find(std::string_view name) const;
  /// The tensor, its sum checked where the format has one; the view must not outlive the source.
  /// Throws Error when there is none of this name or it is damaged.
  TensorData read(std::string_view name) const;
  /// Reads and converts to f32. `to` must have the tensor's size, else Error names both.
  void read_f32(std::string_view name, std::span<float> to) const;

 protected:
  explicit TensorSource(std::string path) : path_(std::move(path)) {}
  /// Adds a tensor; throws Error when the name is taken.
  void add(TensorInfo info);
  virtual TensorData read_at(size_t index) const = 0;

 private:
  std::string path_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
};

/// Opens weights, by what lies at `path`:
///   a folder: model.safetensors.index.json with its shards, model.safetensors, the same two of
///     pytorch_model.bin, or a bert_model.ckpt of TensorFlow, in this order;
///   a file of torch.save: the state dict under "model" or "state_dict", or the file's own;
///   a safetensors file, or the index of several files;
///   a TensorFlow bundle: its prefix, as in "bert_model.ckpt", or its .index.
/// Throws Error that says what was found instead.
std::unique_ptr<TensorSource> open_weights(const std::string& path);

}  // namespace bertha::io
