#include "io/atomic_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "io/file_status.h"
#include "io/unfinished.h"

namespace bertha::io {

namespace fs = std::filesystem;

AtomicFolder::AtomicFolder(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  std::error_code error;
  if (exists(path_) && !(is_folder(path_) && fs::is_empty(path_))) {
    fail("{}: it exists; expected a new name or an empty folder", path_);
  }
  std::string name = fmt::format("{}.tmp-{}", path_, ::getpid());
  remove_tree(name.c_str());  // left by a killed process with the same number
  if (!fs::create_directory(name, error)) {
    fail("{}: cannot create the folder: {}", name,
         error ? error.message() : std::string("a file of this name exists"));
  }
  temporary_path_ = std::move(name);
  remember_unfinished(temporary_path_);
}

AtomicFolder::~AtomicFolder() {
  if (temporary_path_.empty()) return;
  remove_tree(temporary_path_.c_str());  // which needs no memory: its lack may be the reason
  forget_unfinished(temporary_path_);
}

void AtomicFolder::commit() {
  std::error_code error;
  fs::rename(temporary_path_, path_, error);
  if (error) fail("{}: cannot rename the folder: {}", path_, error.message());
  forget_unfinished(temporary_path_);
  temporary_path_.clear();
  const fs::path parent = fs::path(path_).parent_path();
  const int folder =
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;  // a folder may be writable but not readable
  const int failure = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  // EINVAL or ENOTSUP: the file system cannot flush folders.
  if (failure != 0 && failure != EINVAL && failure != ENOTSUP) {
    fail("{}: cannot flush: {}", path_,
         std::error_code(failure, std::generic_category()).message());
  }
}

void make_folder(const std::string& path) {
  if (path.empty()) return;
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail("{}: cannot make the folder: {}", path, error.message());
}

}  // namespace bertha::io
