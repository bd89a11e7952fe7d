#include "io/weights/checkpoint_names.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "io/list_files.h"

namespace bertha::io {

int64_t checkpoint_number(std::string_view name) {
  if (!name.starts_with("ckpt_") || !name.ends_with(".pt")) return -1;
  const std::string_view digits = name.substr(5, name.size() - 8);
  int64_t number = -1;
  const auto [rest, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return bad == std::errc() && rest == digits.data() + digits.size() ? number : -1;
}

std::vector<std::pair<int64_t, std::string>> list_checkpoints(const std::string& folder) {
  std::vector<std::pair<int64_t, std::string>> found;
  for (const std::string& path : list_files(folder, "ckpt_", ".pt")) {
    const int64_t number = checkpoint_number(std::filesystem::path(path).filename().string());
    if (number >= 0) found.emplace_back(number, path);
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

}  // namespace bertha::io
