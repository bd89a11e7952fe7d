#pragma once

// A Gaudi device, driven by libSynapse.so, which is loaded at run time. This program needs no file
// of SynapseAI to be built.

#include <cstdint>
#include <memory>
#include <string>

#include "backend/gaudi/graph_device.h"

namespace bertha::gaudi {

class RecipeCache;
class SynapseLibrary;

/// Why the Gaudi device of this number cannot be used, as the end of a sentence; empty when it can.
std::string absence(int64_t number = 0);
/// Opens the Gaudi device of this number. Throws Error with the reason when there is none.
std::unique_ptr<Device> open_device(int64_t number = 0);

/// One Gaudi device and one stream, on which copies and launches are queued in order. A segment is
/// recorded at its first run and compiled; it is recorded again when the lengths of its sequences
/// need other shapes. An op outside a segment is a segment of its own.
class GaudiDevice : public GraphDevice {
 public:
  GaudiDevice(SynapseLibrary& library, uint32_t module);
  ~GaudiDevice() override;

  std::string description() const override;

  /// Takes device memory at the first use of the buffer, not here.
  Buffer allocate(int64_t size_bytes) override;
  void free(std::byte* base, int64_t size_bytes) noexcept override;
  /// Through pinned memory: returns as soon as `host` is copied there.
  void write(Out to, const void* host) override;
  void read(const Tensor& from, void* host) override;
  void copy(const Tensor& from, Out to) override;
  void zero(Out to) override;
  void run(const Segment& segment, BodyRef body) override;
  void value_made(const Tensor& value) override;
  void synchronize() override;
  /// Does nothing: recipes read the weights in place.
  void parameters_changed() override {}

  /// An op outside a segment is run at once.
  void record(std::string_view op, BodyRef body) override;
  GraphRecorder& recorder() override;
  SynapseLibrary& library();
  /// The stream on which copies and launches are queued.
  abi::Stream stream() const;
  /// The address of a tensor in device memory, for work of others on stream().
  abi::Address address(const Tensor& tensor);
  const RecipeCache& recipes() const;
  bool compiles(const NodeGraph& graph, std::string_view name) const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::gaudi
