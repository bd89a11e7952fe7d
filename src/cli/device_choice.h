#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "core/device.h"
#include "infer/model.h"

namespace bertha::cli {

/// The names that --device takes.
std::vector<std::string> device_words();

/// Which device a command runs on and in which arithmetic; declared once for every command that
/// computes.
struct DeviceChoice {
  std::string device = "cpu";  ///< a name of backend/devices.h
  bool use_habana = false;     ///< the recipe's flag: the best accelerator present
  bool strict = false;         ///< a missing accelerator is an error
  std::string precision;       ///< "", fp32, bf16, int8, fp8
  bool autocast = false;
  bool hmp = false;

  /// Declares the options.
  void declare(Options& options);
  /// Opens the device and logs, in one line, which it is. Of several GPUs it is the one of this
  /// number.
  std::unique_ptr<Device> open(int64_t number = 0) const;
  /// The arithmetic of predictions. Throws Error when flags exclude each other; warns and answers
  /// fp32 for bf16 on a device without it.
  infer::Arithmetic arithmetic(const Device& device, bool trains = false) const;
  /// True for bf16 and fp8, in training. Throws Error for int8 too.
  bool bf16(const Device& device) const;
  /// True where a command that pre-trains was asked for fp8.
  bool fp8() const { return precision == "fp8"; }
};

}  // namespace bertha::cli
