#pragma once

// Scalars in TensorBoard's event files, written by hand: TFRecord framing (little-endian length,
// masked CRC-32C of the length, data, masked CRC-32C of the data) around tensorflow.Event messages
// of Protocol Buffers.

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

  /// Starts `folder`/events.out.tfevents.<seconds>.<host>.<process>, a new file for every run, as
  /// TensorBoard expects of a resumed one. Throws Error when it cannot be written.
  explicit TensorBoardWriter(const std::filesystem::path& folder, WallClock clock = wall_now);

  /// One event: the value of each tag ("loss/total") at a step. Values are kept as float.
  void write(int64_t step, const Scalars& scalars);
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  WallClock clock_;
  AppendFile file_;
};

}  // namespace bertha::runlog
