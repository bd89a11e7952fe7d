#include "dataset/spill.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace bertha::dataset {

Spill::Spill(std::string folder) : folder_(std::move(folder)) {
  descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor_ < 0) {  // the file system does not support unnamed files
    std::string name = folder_ + "/spill.tmp-XXXXXX";
    descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor_ >= 0) ::unlink(name.c_str());
  }
  if (descriptor_ < 0) fail("{}: cannot make a file: {}", folder_, std::strerror(errno));
}

Spill::~Spill() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Spill::append(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), size_bytes_);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("{}: cannot write a temporary file: {}", folder_, std::strerror(errno));
    size_bytes_ += written;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

std::vector<std::byte> Spill::read_all() const {
  std::vector<std::byte> bytes(static_cast<size_t>(size_bytes_));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("{}: cannot read a temporary file: {}", folder_, std::strerror(errno));
    done += static_cast<size_t>(count);
  }
  return bytes;
}

}  // namespace bertha::dataset
