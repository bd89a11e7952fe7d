#include "io/weights/state_dict.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/strings.h"
#include "io/weights/torch_file.h"

namespace bertha::io {
namespace {

using Kind = PickleValue::Kind;

/// Keys in order of preference. The averaged weights come last: a file that also has the trained
/// ones means those.
constexpr auto kWrapperKeys = std::to_array<std::string_view>(
    {"model", "state_dict", "model_state_dict", "module", "net", "network", "weights", "ema",
     "model_ema", "ema_model", "ema_state_dict", "state_dict_ema"});
constexpr int kMaxDepth = 4;
constexpr size_t kMostKeysShown = 12;

bool holds_tensors(const PickleValue& dict) {
  const auto items = dict.items();
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->is(Kind::kString) && TorchFile::is_tensor(*items[i + 1])) return true;
  }
  return false;
}

/// A hostile file can hold a dict within itself, so `seen` ends the search.
const PickleValue* search(const PickleValue& dict, int depth, std::set<const PickleValue*>& seen) {
  if (depth > kMaxDepth || !dict.is(Kind::kDict) || !seen.insert(&dict).second) return nullptr;
  for (const std::string_view key : kWrapperKeys) {
    const PickleValue* inner = dict.find(key);
    const PickleValue* found = inner == nullptr ? nullptr : search(*inner, depth + 1, seen);
    if (found != nullptr) return found;
  }
  return holds_tensors(dict) ? &dict : nullptr;
}

bool is_module(const PickleValue& value) {
  return value.is(Kind::kObject) && value.state() != nullptr &&
         value.state()->find("_modules") != nullptr;
}

/// "; its keys are "epoch" (the integer 3), …"
std::string keys_of(const PickleValue& dict) {
  std::vector<std::string> keys;
  const auto items = dict.items();
  for (size_t i = 0; i + 1 < items.size() && keys.size() < kMostKeysShown; i += 2) {
    const std::string key = items[i]->is(Kind::kString) ? fmt::format("\"{}\"", items[i]->text())
                                                        : items[i]->description();
    keys.push_back(fmt::format("{} ({})", key, items[i + 1]->description()));
  }
  if (keys.empty()) return "";
  const size_t left = items.size() / 2 - keys.size();
  return fmt::format("; its keys are {}{}", join(keys, ", "),
                     left > 0 ? fmt::format(" and {} more", left) : "");
}

}  // namespace

const PickleValue& find_state_dict(const PickleValue& root, const std::string& path) {
  constexpr std::string_view kRemedy =
      "; this is a whole module: load it in PyTorch and save its state_dict()";
  if (!root.is(Kind::kDict)) {
    fail("{}: expected a dict of tensors, found {}{}", path, root.description(),
         is_module(root) ? kRemedy : "");
  }
  std::set<const PickleValue*> seen;
  if (const PickleValue* found = search(root, 0, seen)) return *found;
  const auto items = root.items();
  const bool module = std::any_of(items.begin(), items.end(),
                                  [](const PickleValue* value) { return is_module(*value); });
  fail("{}: a dict without tensors, expected a state dict{}{}", path, keys_of(root),
       module ? "; one is a whole module: load it in PyTorch and save its state_dict()" : "");
}

}  // namespace bertha::io
