#include "io/output_check.h"

#include <filesystem>

#include "core/error.h"
#include "io/file_status.h"

namespace bertha::io {

void check_output(const std::string& path, std::span<const std::string> inputs, bool overwrite) {
  std::error_code ignored;
  if (path == "-" || !is_regular_file(path)) return;
  for (const std::string& input : inputs) {
    if (std::filesystem::equivalent(path, input, ignored)) {
      fail("{}: it is an input of this command, which would be replaced; give another name", path);
    }
  }
  if (!overwrite) fail("{}: it exists; give another name, or --overwrite to replace it", path);
}

}  // namespace bertha::io
