#include "train/dying_calls.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>

namespace bertha::test {
namespace {

std::atomic<bool> armed{false};
std::atomic<int64_t> calls{0};
int64_t last_call = -1;
Death how = Death::kBefore;

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

/// Counts a call; true where the process is to die once it has happened.
bool enter() {
  if (!armed) return false;
  if (calls++ != last_call) return false;
  if (how == Death::kBefore) die();
  return true;
}

long passed(bool last, long result) {
  if (last) die();
  return result;
}

}  // namespace

void die_at(int64_t call, Death death) {
  last_call = call;
  how = death;
  calls = 0;
  armed = true;
}

int64_t counted_calls() {
  return calls;
}

}  // namespace bertha::test

using bertha::test::enter;
using bertha::test::passed;

// These take the place of the C library's, for the program and the libraries it loads.
extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  const bool last = enter();
  return static_cast<int>(passed(last, ::syscall(SYS_openat, AT_FDCWD, path, flags, mode)));
}

ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  const bool last = enter();
  const size_t part = last ? size / 2 : size;
  return passed(last, ::syscall(SYS_pwrite64, descriptor, data, part, offset));
}

int fsync(int descriptor) {
  const bool last = enter();
  return static_cast<int>(passed(last, ::syscall(SYS_fsync, descriptor)));
}

int close(int descriptor) {
  const bool last = enter();
  return static_cast<int>(passed(last, ::syscall(SYS_close, descriptor)));
}

int rename(const char* from, const char* to) noexcept {
  const bool last = enter();
  return static_cast<int>(passed(last, ::syscall(SYS_rename, from, to)));
}

int unlink(const char* path) noexcept {
  const bool last = enter();
  return static_cast<int>(passed(last, ::syscall(SYS_unlink, path)));
}

int flock(int descriptor, int operation) noexcept {
  const bool last = enter();
  return static_cast<int>(passed(last, ::syscall(SYS_flock, descriptor, operation)));
}

}  // extern "C"
