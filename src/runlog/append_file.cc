#include "runlog/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "io/whole_file.h"

namespace bertha::runlog {

namespace {

std::string reason(int number) {
  return std::generic_category().message(number);
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  io::make_folder(path_.parent_path().string());
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("{}: cannot open for writing: {}", path_.string(), reason(errno));
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::write(std::string_view record) {
  while (!record.empty()) {
    const ssize_t written = ::write(descriptor_, record.data(), record.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("{}: cannot write: {}", path_.string(), reason(errno));
    record.remove_prefix(static_cast<size_t>(written));
  }
}

bool AppendFile::ends_a_line() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || status.st_size == 0) return true;
  char last = '\n';
  if (::pread(descriptor_, &last, 1, status.st_size - 1) != 1) return true;
  return last == '\n';
}

std::string first_line(const std::string& path) {
  if (!io::exists(path)) return "";
  const io::MappedFile file(path);
  return std::string(file.text().substr(0, file.text().find('\n')));
}

std::unique_ptr<AppendFile> continue_lines(const std::string& path, const std::string& header,
                                           const std::function<bool(const std::string&)>& keep) {
  constexpr int64_t kMostBytes = int64_t{1} << 32;
  std::string kept = header + "\n";
  std::istringstream before(
      io::exists(path) ? io::read_whole_file(path, "the log to continue", kMostBytes) : "");
  for (std::string line; std::getline(before, line);) {
    if (keep(line)) kept += line + "\n";
  }
  io::write_file(path, kept);
  return std::make_unique<AppendFile>(path);
}

}  // namespace bertha::runlog
