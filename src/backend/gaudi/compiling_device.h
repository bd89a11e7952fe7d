#pragma once

// A Gaudi that need not be there: graphs are recorded and compiled for it, and nothing runs. It
// answers without a device whether SynapseAI takes the graphs of a model, and what they need.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/gaudi/graph_device.h"
#include "backend/gaudi/graph_recorder.h"
#include "backend/gaudi/recipe_cache.h"

namespace bertha::gaudi {

/// Memory of a device that graphs use, in bytes.
struct OperandBytes {
  int64_t buffers = 0;  ///< of the caller, the most at the same time
  int64_t host = 0;     ///< what the host computes for a launch, of the graph with the most of it
};

class CompilingDevice final : public GraphDevice {
 public:
  /// Graphs are also written as JSON to `dump_folder`, unless it is empty. The library must outlive
  /// the device.
  CompilingDevice(const SynapseLibrary& library, abi::DeviceType type, std::string dump_folder);

  /// The graphs so far, in the order in which they were compiled.
  const std::vector<Compilation>& compilations() const { return recipes_.compilations(); }

  /// What graphs used since the last call.
  OperandBytes take_operand_bytes();

  std::string description() const override;
  /// Memory has a size and no content, except integers, by which the program places tokens.
  Buffer allocate(int64_t size_bytes) override;
  void free(std::byte* base, int64_t size_bytes) noexcept override;
  void write(Out to, const void* host) override;
  /// Gives zeros.
  void read(const Tensor& from, void* host) override;
  void copy(const Tensor& from, Out to) override;
  void zero(Out to) override;
  /// Records and compiles.
  void run(const Segment& segment, BodyRef body) override;
  void value_made(const Tensor& value) override;
  void synchronize() override {}
  void parameters_changed() override {}

  void record(std::string_view op, BodyRef body) override;
  GraphRecorder& recorder() override { return recorder_; }
  bool compiles(const NodeGraph& graph, std::string_view name) const override;

 private:
  void compile_recording(std::string_view name, BodyRef body);
  void note_operands(const Recording& recording);

  const SynapseLibrary& library_;
  abi::DeviceType type_;
  RecipeCache recipes_;
  GraphRecorder recorder_;
  std::map<const Allocation*, int64_t> operands_;  ///< bytes of those that graphs use
  int64_t operand_bytes_ = 0;
  OperandBytes peak_;
};

}  // namespace bertha::gaudi
