#pragma once

// Writes scalars to TensorBoard's event files. An event file is a sequence of TFRecords (length in
// little-endian order, masked CRC-32C of the length, data, masked CRC-32C of the data). The data of
// each are a tensorflow.Event message of Protocol Buffers.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "runlog/append_file.h"
#include "runlog/clock.h"

namespace bertha::runlog {

class TensorBoardWriter {
 public:
  using Scalars = std::vector<std::pair<std::string, double>>;

  /// Starts `folder`/events.out.tfevents.<seconds>.<host>.<process>. Every start of a run has a
  /// file of its own; TensorBoard joins them. Throws Error when the file cannot be written.
  explicit TensorBoardWriter(const std::filesystem::path& folder, WallClock clock = wall_now);

  /// Writes one event: the value of each tag ("loss/total") at a step, rounded to float.
  void write(int64_t step, const Scalars& scalars);
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  WallClock clock_;
  AppendFile file_;
};

}  // namespace bertha::runlog
