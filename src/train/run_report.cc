#include "train/run_report.h"

#include <spdlog/spdlog.h>

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "core/counted.h"
#include "core/error.h"
#include "core/strings.h"
#include "runlog/quantity_format.h"

namespace bertha::train {
namespace {

using runlog::format_bytes;
using runlog::format_count;

/// Free bytes for this user on the file system of the folder; negative where it is not known.
double free_bytes(const std::string& folder) {
  std::error_code failure;
  const std::filesystem::space_info space = std::filesystem::space(folder, failure);
  return failure ? -1 : static_cast<double>(space.available);
}

std::string layers_text(const bert::Config* config) {
  if (config == nullptr) return "";
  return fmt::format(", {} of {}", counted(config->num_hidden_layers, "layer"),
                     config->hidden_size);
}

std::string epochs_text(const RunStart& start) {
  if (start.rows <= 0) return "";
  const double steps = static_cast<double>(start.last_step - start.first_step);
  return fmt::format(", {:.3g} epochs",
                     steps * start.rows_a_step / static_cast<double>(start.rows));
}

}  // namespace

int64_t checkpoint_bytes(int64_t parameters) {
  return 3 * 4 * parameters;
}

std::vector<std::string> start_lines(const RunStart& start) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("model: {} parameters{}; {} on {}{}", format_count(start.parameters),
                              layers_text(start.config), start.precision,
                              start.device->description(),
                              start.ranks > 1 ? fmt::format(", {} ranks", start.ranks) : ""));
  lines.push_back(fmt::format(
      "data: {}; steps {} to {} of {} {} each{}", start.data, format_count(start.first_step + 1),
      format_count(start.last_step), format_count(static_cast<int64_t>(start.rows_a_step)),
      noun_for(static_cast<int64_t>(start.rows_a_step), "row"), epochs_text(start)));
  const double space = free_bytes(start.folder);
  const std::string room = space < 0 ? "" : fmt::format("; {} are free", format_bytes(space));
  lines.push_back(start.checkpoint_bytes == 0
                      ? fmt::format("output: {}, without checkpoints{}", start.folder, room)
                      : fmt::format("output: {}, {} a checkpoint{}", start.folder,
                                    format_bytes(static_cast<double>(start.checkpoint_bytes)),
                                    room));
  return lines;
}

void log_loaded(const bert::LoadReport& report, bool training) {
  const auto level = training ? spdlog::level::info : spdlog::level::debug;
  for (const std::string& line : report.lines()) spdlog::log(level, "{}", line);
}

void check_room(const RunStart& start) {
  const double space = free_bytes(start.folder);
  const auto wanted = static_cast<double>(start.checkpoint_bytes);
  if (space < 0 || space >= wanted) return;
  fail(
      "{}: a checkpoint takes {}, and the file system has {} free; free some space, or choose "
      "another --output-dir",
      start.folder, format_bytes(wanted), format_bytes(space));
}

runlog::ReportTable settings_table(const Settings& settings) {
  runlog::ReportTable table{.title = "Settings", .header = {}, .rows = {}};
  for (const auto& [name, value] : settings) {
    if (value.find('\n') == std::string::npos) table.rows.push_back({name, value});
  }
  return table;
}

std::vector<std::string> end_lines(const RunSummary& summary) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format(
      "trained {} {} in {}: loss {:.3f} at first, {:.3f} at last{}", format_count(summary.steps),
      noun_for(summary.steps, "step"), runlog::format_duration(summary.seconds), summary.first_loss,
      summary.last_loss, summary.evaluation.empty() ? "" : ", " + summary.evaluation));
  if (!summary.written.empty()) lines.push_back("written: " + join(summary.written, ", "));
  if (!summary.next.empty()) lines.push_back("next: " + summary.next);
  return lines;
}

}  // namespace bertha::train
