#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "io/list_files.h"
#include "io/unfinished.h"

namespace bertha::io {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;
constexpr std::string_view kTemporaryMark = ".tmp-";

std::string reason(int error) {
  return std::error_code(error, std::generic_category()).message();
}

/// Writes all of `data` at `offset`. Returns 0 or errno.
int write_all(int descriptor, std::span<const std::byte> data, int64_t offset) {
  while (!data.empty()) {
    const ssize_t written = ::pwrite(descriptor, data.data(), data.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return ENOSPC;
    data = data.subspan(static_cast<size_t>(written));
    offset += written;
  }
  return 0;
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// True for "<name>.tmp-<digits>-<digits>".
bool is_temporary_name(std::string_view name) {
  const size_t mark = name.rfind(kTemporaryMark);
  if (mark == std::string_view::npos || mark == 0) return false;
  const std::string_view numbers = name.substr(mark + kTemporaryMark.size());
  const size_t dash = numbers.find('-');
  const auto digits = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && digits(numbers.substr(0, dash)) &&
         digits(numbers.substr(dash + 1));
}

/// Removes a temporary file that no process has locked.
bool remove_if_abandoned(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool removed = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::unlink(path.c_str()) == 0;
  ::close(descriptor);
  return removed;
}

/// The file to replace. A symbolic link is resolved; a device or a folder cannot be replaced.
std::string target_of(std::string path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_symlink(path, error)) {
    const fs::path target = fs::weakly_canonical(path, error);
    if (!error) path = target.string();
  }
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail("{}: cannot write: a {} is there", path, fs::is_directory(status) ? "folder" : "device");
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(target_of(std::move(path))) {
  buffer_.reserve(kBufferBytes);  // before there is a file, which only the destructor removes
  create();
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::unlink(temporary_path_.c_str());
  ::close(descriptor_);
  forget_unfinished(temporary_path_);
}

// The owner keeps its temporary file locked, so that remove_leftovers() can distinguish a living
// owner from a dead one on any machine and in any container. Between open and lock, another process
// may have removed the file as a leftover. The file then has no name any more, and a new one is
// created.
void AtomicFile::create() {
  static std::atomic<uint64_t> counter{0};
  for (;;) {
    temporary_path_ = fmt::format("{}{}{}-{}", path_, kTemporaryMark, ::getpid(), counter++);
    descriptor_ = ::open(temporary_path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && (errno == EEXIST || errno == EINTR)) continue;
    if (descriptor_ < 0) fail_with("cannot create the file", errno);
    remember_unfinished(temporary_path_);
    struct stat status {};
    if (::flock(descriptor_, LOCK_EX) != 0) return;  // the file system has no locks: leftovers stay
    if (::fstat(descriptor_, &status) != 0 || status.st_nlink > 0) return;
    forget_unfinished(temporary_path_);
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

void AtomicFile::write(std::span<const std::byte> data) {
  if (buffer_.size() + data.size() > kBufferBytes) flush();
  if (data.size() < kBufferBytes) {
    buffer_.insert(buffer_.end(), data.begin(), data.end());
    return;
  }
  if (const int error = write_all(descriptor_, data, flushed_bytes_)) {
    fail_with("cannot write", error);
  }
  flushed_bytes_ += static_cast<int64_t>(data.size());
}

void AtomicFile::write(std::string_view data) {
  write(std::as_bytes(std::span(data)));
}

void AtomicFile::overwrite(int64_t offset, std::span<const std::byte> data) {
  BERTHA_CHECK(offset >= 0 && offset + static_cast<int64_t>(data.size()) <= size_bytes(),
               "{}: overwrites past the end", path_);
  if (offset >= flushed_bytes_) {
    std::copy(data.begin(), data.end(), buffer_.begin() + (offset - flushed_bytes_));
    return;
  }
  flush();
  if (const int error = write_all(descriptor_, data, offset)) fail_with("cannot write", error);
}

void AtomicFile::flush() {
  if (const int error = write_all(descriptor_, buffer_, flushed_bytes_)) {
    fail_with("cannot write", error);
  }
  flushed_bytes_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
}

void AtomicFile::commit() {
  BERTHA_CHECK(descriptor_ >= 0, "{}: committed twice", path_);
  flush();
  if (::fsync(descriptor_) != 0) fail_with("cannot flush", errno);
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail_with("cannot rename", errno);
  forget_unfinished(temporary_path_);
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) fail_with("cannot close", errno);
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;  // a folder may be writable but not readable
  const int error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  // EINVAL or ENOTSUP: the file system cannot flush folders.
  if (error != 0 && error != EINVAL && error != ENOTSUP) fail_with("cannot flush", error);
}

void AtomicFile::fail_with(const char* what, int error) const {
  if (error == ENOENT) {
    fail("{}: {}: the folder {} does not exist", path_, what, folder_of(path_));
  }
  fail("{}: {}: {}", path_, what, reason(error));
}

void write_file(const std::string& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

std::vector<std::string> remove_leftovers(const std::string& folder) {
  std::vector<std::string> removed;
  for (const std::string& path : list_files(folder, "", "")) {
    const std::string name = std::filesystem::path(path).filename().string();
    if (is_temporary_name(name) && remove_if_abandoned(path)) removed.push_back(name);
  }
  return removed;
}

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail("{}: cannot open the file: {}", path_, reason(errno));
  struct stat status {};
  int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  void* base = nullptr;
  const bool regular = error == 0 && S_ISREG(status.st_mode);
  const auto size = static_cast<size_t>(status.st_size);
  if (regular && size > 0) {
    base = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (base == MAP_FAILED) error = errno;
  }
  ::close(descriptor);
  if (error != 0) fail("{}: cannot map the file: {}", path_, reason(error));
  if (!regular) fail("{}: expected a regular file", path_);
  if (size > 0) bytes_ = {static_cast<const std::byte*>(base), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::string_view MappedFile::text() const {
  return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
}

std::span<const std::byte> MappedFile::slice(uint64_t offset, uint64_t size,
                                             std::string_view what) const {
  if (offset > bytes_.size() || size > bytes_.size() - offset) {
    fail("{}: {} needs {} bytes at offset {}, the file has {}", path_, what, size, offset,
         bytes_.size());
  }
  return bytes_.subspan(offset, size);
}

}  // namespace bertha::io
