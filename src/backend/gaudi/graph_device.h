#pragma once

// What the operations of ops/gaudi need of a device: a recorder, and a compiler to ask.

#include <string>
#include <string_view>
#include <utility>

#include "backend/gaudi/synapse_abi.h"
#include "core/device.h"

namespace bertha::gaudi {

class GraphRecorder;
struct NodeGraph;

class GraphDevice : public Device {
 public:
  GraphDevice() : Device(Memory::kDevice) {}

  DeviceKind kind() const override { return DeviceKind::kGaudi; }
  bool has_bf16() const override { return true; }
  bool compiles_each_shape() const override { return true; }

  /// Records `body`, which makes nodes for `op`: into the segment under way, else as a segment of
  /// its own.
  virtual void record(std::string_view op, BodyRef body) = 0;
  virtual GraphRecorder& recorder() = 0;
  /// Whether the compiler takes this graph, of one node or a few.
  virtual bool compiles(const NodeGraph& graph, std::string_view name) const = 0;

  /// What description() says beside the device: how operations are done on it.
  void set_remark(std::string remark) { remark_ = std::move(remark); }
  const std::string& remark() const { return remark_; }

 private:
  std::string remark_;
};

/// "Gaudi2".
std::string name_of(abi::DeviceType type);

}  // namespace bertha::gaudi
