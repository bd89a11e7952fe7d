#include "io/unfinished.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string_view>

namespace bertha::io {
namespace {

std::array<std::atomic<const std::string*>, 256> unfinished{};

/// Calls `visit` for the names in an open folder.
template <typename Visit>
void each_name(int folder, const Visit& visit) {
  alignas(dirent64) std::array<char, 2048> block;
  ssize_t got = 0;
  while ((got = ::getdents64(folder, block.data(), block.size())) > 0) {
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(block.data() + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") visit(entry->d_name);
      at += entry->d_reclen;
    }
  }
}

void remove_below(int parent, const char* name) {
  if (::unlinkat(parent, name, 0) == 0) return;
  const int folder = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return;
  each_name(folder, [folder](const char* below) { remove_below(folder, below); });
  ::close(folder);
  ::unlinkat(parent, name, AT_REMOVEDIR);
}

}  // namespace

void remember_unfinished(const std::string& path) {
  for (auto& place : unfinished) {
    const std::string* nothing = nullptr;
    if (place.compare_exchange_strong(nothing, &path)) return;
  }
}

void forget_unfinished(const std::string& path) {
  for (auto& place : unfinished) {
    const std::string* found = &path;
    if (place.compare_exchange_strong(found, nullptr)) return;
  }
}

void remove_unfinished() {
  for (auto& place : unfinished) {
    const std::string* path = place.exchange(nullptr);
    if (path != nullptr) remove_tree(path->c_str());
  }
}

void remove_tree(const char* path) {
  remove_below(AT_FDCWD, path);
}

}  // namespace bertha::io
