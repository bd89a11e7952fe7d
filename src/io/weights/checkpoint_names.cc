#include "io/weights/checkpoint_names.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

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
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    const int64_t number = checkpoint_number(entry.path().filename().string());
    if (number >= 0) found.emplace_back(number, entry.path().string());
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

}  // namespace bertha::io
