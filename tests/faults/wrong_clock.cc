// A library for LD_PRELOAD: the wall clock is wrong by the seconds that the file
// BERTHA_CLOCK_FILE holds as a decimal number of 16 characters. Writing another number into it
// steps the clock of a program that runs. The monotonic clock, which nobody can set, stays as it
// is.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

constexpr size_t kBytes = 16;

const char* map_file() {
  const char* path = std::getenv("BERTHA_CLOCK_FILE");
  const int file = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* base = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  return base == MAP_FAILED ? nullptr : static_cast<const char*>(base);
}

time_t offset() {
  static const char* const kText = map_file();
  if (kText == nullptr) return 0;
  char text[kBytes + 1] = {};
  std::memcpy(text, kText, kBytes);
  return static_cast<time_t>(std::strtoll(text, nullptr, 10));
}

}  // namespace

// The functions repeat declarations of headers that say noexcept, nonnull and so on.
#pragma GCC diagnostic ignored "-Wattributes"

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    time->tv_sec += offset();
  }
  return static_cast<int>(result);
}

int gettimeofday(timeval* time, void*) noexcept {
  timespec now{};
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t* to) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (to != nullptr) *to = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
