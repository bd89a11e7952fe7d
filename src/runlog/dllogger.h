#pragma once

// The run's log `dllogger.json`. Each line has the bytes that NVIDIA's dllogger writes at the
// commit that the recipe pins, so that scripts and dashboards for the recipe can read it:
//
//   DLLL {"timestamp": "1570716921.842053", "datetime": "2019-10-10 16:15:21.842053",
//         "elapsedtime": "5.69", "type": "LOG", "step": [0, 5], "data": {"average_loss": 11.2}}
//
// (on one line). Numbers, strings and separators have the form of Python's json.dumps. A number
// that is not finite is NaN, Infinity or -Infinity, which Python accepts and the JSON standard does
// not.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runlog/append_file.h"
#include "runlog/clock.h"

namespace bertha::runlog {

using LogValue = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;
/// Names and values, in the order in which they are written.
using LogData = std::vector<std::pair<std::string, LogValue>>;

class DlLogger {
 public:
  /// Receives the line, without its end, that the recipe prints on standard output for a record.
  using Print = std::function<void(const std::string& line)>;

  /// A logger that writes nothing.
  DlLogger() = default;
  /// Opens the file, or creates it with its folder. Records of earlier runs stay: each run begins
  /// with its Config record.
  DlLogger(const std::filesystem::path& path, Print print, WallClock clock = wall_now);

  /// A record of a setting or a mark: "step": "PARAMETER".
  void parameter(const std::string& name, const LogValue& value);
  /// A record of training: "step": [epoch, step].
  void step(int64_t epoch, int64_t step, const LogData& data);
  /// A record of the whole run: "step": [].
  void summary(const LogData& data);
  /// Ends the file. Further records are printed alone.
  void close_file() { file_.reset(); }

 private:
  void write(const std::string& json_step, const std::string& printed_step, const LogData& data);

  std::unique_ptr<AppendFile> file_;
  Print print_;
  WallClock clock_;
  WallTime start_;
};

}  // namespace bertha::runlog
