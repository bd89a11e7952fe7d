#include "io/list_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "io/file_status.h"

namespace bertha::io {

std::vector<std::string> list_files(const std::string& folder, std::string_view prefix,
                                    std::string_view ending) {
  std::vector<std::string> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(ending)) continue;
    if (io::is_regular_file(entry->path())) files.push_back(entry->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    fail("{}: cannot read the folder: {}", folder, error.message());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace bertha::io
