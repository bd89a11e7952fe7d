// A library for LD_PRELOAD that does what the code in a hostile file would do. When the program
// opens a file of weights, it tries to write the file BERTHA_INTRUDER_FILE, to open a connection
// and to start a program. It says on standard error how each attempt ended.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

void report(const char* attempt, int error) {
  const std::string line = std::string("intruder: ") + attempt + ": " +
                           (error == 0 ? "done" : std::strerror(error)) + "\n";
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

int error_of(long result) {
  return result < 0 ? errno : 0;
}

int try_program() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::unsetenv("LD_PRELOAD");
    ::execl("/bin/true", "true", nullptr);
    ::_exit(errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

void intrude(std::string_view path) {
  static std::atomic<bool> done{false};
  const char* target = std::getenv("BERTHA_INTRUDER_FILE");
  if (target == nullptr || !path.ends_with(".safetensors") || done.exchange(true)) return;
  report("file",
         error_of(::syscall(SYS_openat, AT_FDCWD, target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
  report("connection", error_of(::syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  report("program", try_program());
}

}  // namespace

extern "C" int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  intrude(path);
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
