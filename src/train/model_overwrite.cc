#include "train/model_overwrite.h"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/file_status.h"
#include "text/json_text.h"
#include "train/pretraining_options.h"

namespace bertha::train {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> kModelFiles = {"model.safetensors", "pytorch_model.bin"};

std::string record_of(const std::string& folder) {
  return folder + "/fine_tuning.json";
}

/// Whether writing the model would replace `input`, a file or a folder.
bool replaces(const std::string& folder, const std::string& input) {
  std::error_code ignored;
  if (fs::equivalent(folder, input, ignored)) return true;
  for (const char* name : kModelFiles) {
    if (fs::equivalent(folder + "/" + name, input, ignored)) return true;
  }
  return false;
}

/// What the record says of the folder's model; nothing where there is none that can be read.
Settings read_settings(const std::string& folder) {
  Settings settings;
  if (!io::exists(record_of(folder))) return settings;
  const io::MappedFile file(record_of(folder));
  const nlohmann::json root = text::parse_json_text(file.text(), record_of(folder)).root;
  if (!root.is_array()) return settings;
  for (const nlohmann::json& row : root) {
    if (!row.is_array() || row.size() != 2 || !row[0].is_string() || !row[1].is_string()) return {};
    settings.emplace_back(row[0], row[1]);
  }
  return settings;
}

}  // namespace

void check_model_overwrite(const std::string& folder, const std::string& input,
                           const Settings& settings, bool overwrite) {
  bool holds_model = false;
  for (const char* name : kModelFiles) holds_model |= io::exists(folder + "/" + name);
  if (!holds_model) return;
  if (replaces(folder, input)) {
    fail("{}: --output-dir holds the model to start from; give another --output-dir", folder);
  }
  if (overwrite) return;
  const Settings before = read_settings(folder);
  const std::string differences =
      before.empty() ? "no record of this program" : describe_differences(settings, before);
  if (differences.empty()) return;
  fail(
      "{}: it holds a model that another command made ({}); give another --output-dir, or "
      "--overwrite to replace it",
      folder, differences);
}

void write_run_settings(const std::string& folder, const Settings& settings) {
  io::write_file(record_of(folder), nlohmann::json(settings).dump(1) + "\n");
}

}  // namespace bertha::train
