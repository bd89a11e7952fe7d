#include "train/checkpoint_summary.h"

#include <filesystem>
#include <system_error>

#include "io/file_status.h"
#include "io/weights/torch_file.h"

namespace bertha::train {
namespace {

using Numbers = std::vector<std::pair<std::string, CheckpointSummary::Number>>;

Numbers optimizer_settings(const io::PickleValue& root) {
  using Kind = io::PickleValue::Kind;
  const io::PickleValue* groups = root.find("optimizer")->find("param_groups");
  if (groups == nullptr || groups->items().empty()) return {};
  Numbers settings;
  const auto items = groups->items()[0]->items();
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!items[i]->is(Kind::kString)) continue;
    const std::string key(items[i]->text());
    const io::PickleValue& value = *items[i + 1];
    if (value.is(Kind::kInteger)) settings.emplace_back(key, value.integer(key));
    if (value.is(Kind::kReal)) settings.emplace_back(key, value.real(key));
    if (value.is(Kind::kBool)) settings.emplace_back(key, value.boolean(key));
  }
  return settings;
}

}  // namespace

std::optional<CheckpointSummary> summarize_checkpoint(const std::string& path) {
  if (!io::is_regular_file(path)) return std::nullopt;
  if (!io::TorchFile::matches(io::MappedFile(path).bytes())) return std::nullopt;
  const io::TorchFile file(path);
  if (file.root().find("optimizer") == nullptr || file.root().find("model") == nullptr) {
    return std::nullopt;
  }
  return CheckpointSummary{.state = read_checkpoint_state(path),
                           .optimizer = optimizer_settings(file.root())};
}

}  // namespace bertha::train
