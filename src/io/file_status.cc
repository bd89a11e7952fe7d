#include "io/file_status.h"

#include <system_error>

#include "core/error.h"

namespace bertha::io {
namespace {

namespace fs = std::filesystem;

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none) {
    fail("{}: cannot find out what it is: {}", path.string(), error.message());
  }
  return type;
}

}  // namespace

bool exists(const fs::path& path) {
  return type_of(path) != fs::file_type::not_found;
}

bool is_regular_file(const fs::path& path) {
  return type_of(path) == fs::file_type::regular;
}

bool is_folder(const fs::path& path) {
  return type_of(path) == fs::file_type::directory;
}

}  // namespace bertha::io
