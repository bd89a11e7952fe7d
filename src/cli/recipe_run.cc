#include "cli/recipe_run.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "cli/stop.h"
#include "comm/launch.h"
#include "core/error.h"
#include "cpython/literals.h"

namespace bertha::cli {

void RecipeRun::declare_model_name(Options& table) {
  table.value("bert_model", bert_model, "name of the model for the log");
}

void RecipeRun::declare_rest(Options& table, const std::string& loss_scale) {
  declare_device_and_ranks(table);
  table.heading("options of the recipe");
  table.flag("fp16", fp16, "bf16 is used instead: the same speed, without a loss scale");
  table.hidden();
  table.alias("amp", "fp16");
  table.accepted("loss_scale", true, "bf16 has the range of fp32 and needs no loss scale",
                 loss_scale);
  table.accepted("local_rank", true, "ranks come from mpirun", "-1");
  table.accepted("use_env", false, "ranks come from mpirun");
  table.accepted("use_torch_compile", false, "there is nothing to compile at run time");
  table.accepted("no_compiled_autograd", false, "there is no autograd");
  table.accepted("log_memory_usage", true, "memory is fixed before the first step and logged",
                 "False");
}

void RecipeRun::settle_precision(const Options& table) {
  for (const std::string& note : table.notes()) spdlog::info("{}", note);
  if (!fp16) return;
  if (!device.precision.empty() && device.precision != "bf16") {
    fail("--precision {} and --fp16, which means bf16 here, exclude each other", device.precision);
  }
  spdlog::info("--fp16: bf16 is used instead");
  device.precision = "bf16";
}

std::function<void(const std::string&)> RecipeRun::record_printer() const {
  // Open MPI gives each rank a pseudo terminal, also where its own output goes to a file.
  const bool launched = !comm::from_environment("OMPI_COMM_WORLD_SIZE").empty();
  if (!log_to_stdout && !launched && ::isatty(STDOUT_FILENO) == 1) return {};
  return print_line;
}

std::string namespace_text(const Options& table, const Device& device,
                           const std::map<std::string, std::string>& shown) {
  std::string text;
  for (const auto& [name, value] : table.python_settings()) {
    const auto other = shown.find(name);
    text += (text.empty() ? "" : ", ") + name + "=";
    if (name == "device") {
      text += cpython::repr_str(device.description());
    } else {
      text += other == shown.end() ? value : other->second;
    }
  }
  return "Namespace(" + text + ")";
}

int stopped_status(bool skip_checkpoint) {
  spdlog::warn(skip_checkpoint ? "stopped by a signal; nothing was saved, as --skip-checkpoint asks"
                               : "stopped by a signal; the same command goes on from here");
  return kExitStopped;
}

}  // namespace bertha::cli
