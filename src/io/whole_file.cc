#include "io/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/error.h"

namespace bertha::io {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 16;

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

std::string reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

std::string read_whole_file(const std::string& path, std::string_view what, int64_t most_bytes) {
  const OpenFile file(path);
  if (file.number() < 0) fail("{}: cannot open {}: {}", path, what, reason(errno));
  std::string bytes;
  for (;;) {
    const auto have = std::ssize(bytes);
    const int64_t room = std::min(kBlockBytes, most_bytes + 1 - have);
    bytes.resize(static_cast<size_t>(have + room));
    const ssize_t got = ::read(file.number(), bytes.data() + have, static_cast<size_t>(room));
    const int error = errno;
    bytes.resize(static_cast<size_t>(have + std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) fail("{}: cannot read {}: {}", path, what, reason(error));
    if (got == 0) return bytes;
    if (std::ssize(bytes) > most_bytes) {
      fail("{}: over {} bytes; expected {} of at most that", path, most_bytes, what);
    }
  }
}

}  // namespace bertha::io
