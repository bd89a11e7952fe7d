#pragma once

#include <atomic>
#include <cstdint>

#include "backend/cpu/cpu_device.h"

namespace bertha::train {

/// A CPU that asks to stop in a chosen micro-batch, counted from 0.
class StoppingDevice : public cpu::CpuDevice {
 public:
  StoppingDevice(std::atomic<bool>& stop, int64_t in) : stop_(stop), in_(in) {}
  void run(const Segment& segment, BodyRef body) override {
    CpuDevice::run(segment, body);
    if (segment.name == "fine-tuning micro-batch" && in_-- == 0) stop_ = true;
  }

 private:
  std::atomic<bool>& stop_;
  int64_t in_;
};

}  // namespace bertha::train
