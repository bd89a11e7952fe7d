#include "doctor/crash_report.h"

#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>

#include "doctor/build_info.h"

namespace bertha::doctor {
namespace {

// A handler of signals may neither allocate nor lock. All that it prints is here before.
constexpr std::array kDefects = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr size_t kMostFrames = 64;
constexpr unsigned kLongestSeconds = 10;
constexpr int kLongestWaits = 200;  // of a millisecond, for the stack of one thread

std::array<char, 2048> header{};
std::array<char, 256> command{};
std::array<std::array<char, 256>, 2> paths{};
std::array<char, 1 << 14> messages{};
size_t messages_end = 0;  ///< ever written; the ring holds the last ones
std::mutex messages_mutex;
std::atomic<int> report{-1};
std::atomic<int> stacks_written{0};
std::atomic<int64_t> crashed_thread{0};
std::array<std::byte, 1 << 16> signal_stack{};

void put(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void put_number(int file, int64_t number) {
  std::array<char, 24> digits{};
  size_t begin = digits.size();
  do {
    digits[--begin] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  put(file, std::string_view(digits.data() + begin, digits.size() - begin));
}

/// The first lines of a file of the system.
void put_file(int file, const char* path, size_t most_bytes) {
  const int source = ::open(path, O_RDONLY | O_CLOEXEC);
  if (source < 0) return;
  std::array<char, 2048> block{};
  const ssize_t got = ::read(source, block.data(), std::min(block.size(), most_bytes));
  ::close(source);
  if (got > 0) put(file, std::string_view(block.data(), static_cast<size_t>(got)));
  put(file, "\n");
}

void put_messages(int file) {
  const size_t size = messages.size();
  const size_t begin = messages_end > size ? messages_end - size : 0;
  const size_t first = begin % size;
  const size_t count = messages_end - begin;
  put(file, std::string_view(messages.data() + first, std::min(count, size - first)));
  if (count > size - first) put(file, std::string_view(messages.data(), count - (size - first)));
}

void put_stack(int file) {
  std::array<void*, kMostFrames> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  put(file, "\nthread ");
  put_number(file, ::syscall(SYS_gettid));
  put(file, "\n");
  ::backtrace_symbols_fd(frames.data(), count, file);
}

int stack_signal() {
  return SIGRTMAX - 2;
}

void on_stack_request(int) {
  const int file = report;
  if (file >= 0) put_stack(file);
  ++stacks_written;
}

void request_stack(int64_t thread) {
  const int before = stacks_written;
  if (::syscall(SYS_tgkill, ::getpid(), thread, stack_signal()) != 0) return;
  constexpr timespec kMillisecond{0, 1'000'000};
  for (int i = 0; i < kLongestWaits && stacks_written == before; ++i) {
    ::nanosleep(&kMillisecond, nullptr);
  }
}

void put_other_stacks() {
  const int64_t self = ::syscall(SYS_gettid);
  const int folder = ::open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  alignas(dirent64) std::array<char, 4096> block{};
  ssize_t got = 0;
  while ((got = ::getdents64(folder, block.data(), block.size())) > 0) {
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(block.data() + at);
      const int64_t thread = std::atoll(entry->d_name);
      if (thread > 0 && thread != self) request_stack(thread);
      at += entry->d_reclen;
    }
  }
  ::close(folder);
}

const char* name_of_signal(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGABRT";
  }
}

/// Returns the report's path, or null where none can be written.
const char* write_report(int number) {
  for (const auto& path : paths) {
    const int file = ::open(path.data(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) continue;
    put(file, header.data());
    put(file, "signal: ");
    put(file, name_of_signal(number));
    put(file, "\n\nlast messages\n");
    put_messages(file);
    report = file;
    put(file, "\nstacks, first of the thread with the defect\n");
    put_stack(file);
    put_other_stacks();
    report = -1;
    put(file, "\nprocess\n");
    put_file(file, "/proc/self/status", 2048);
    put(file, "memory\n");
    put_file(file, "/proc/meminfo", 256);
    put(file, "processor\n");
    put_file(file, "/proc/cpuinfo", 512);
    ::close(file);
    return path.data();
  }
  return nullptr;
}

void on_defect(int number) {
  const int64_t self = ::syscall(SYS_gettid);
  int64_t first = 0;
  if (!crashed_thread.compare_exchange_strong(first, self)) {
    if (first != self) {
      for (;;) ::pause();  // the first thread with a defect ends the program
    }
    ::signal(number, SIG_DFL);  // a defect of this handler
    return;
  }
  ::signal(SIGALRM, SIG_DFL);
  ::alarm(kLongestSeconds);
  const char* path = write_report(number);
  put(STDERR_FILENO, "error: ");
  put(STDERR_FILENO, command.data());
  put(STDERR_FILENO, " ended by a defect of the program (");
  put(STDERR_FILENO, name_of_signal(number));
  put(STDERR_FILENO, path == nullptr ? ")\n" : "); please report it, with the file ");
  if (path != nullptr) {
    put(STDERR_FILENO, path);
    put(STDERR_FILENO, "\n");
  }
  ::signal(number, SIG_DFL);
  ::raise(number);
}

template <size_t N>
void keep(std::array<char, N>& to, const std::string& text) {
  std::memcpy(to.data(), text.data(), std::min(text.size(), N - 1));
}

/// Options without values that are not numbers: they may be texts of the user.
std::string shown_word(const std::string& word) {
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789.-+e") == std::string_view::npos;
  };
  const size_t equals = word.find('=');
  if (!word.starts_with("-")) return is_number(word) ? word : "...";
  if (equals == std::string::npos || is_number(word.substr(equals + 1))) return word;
  return word.substr(0, equals) + "=...";
}

std::string header_text(std::span<const std::string> words) {
  std::string text = version_text(build_info()) + "command: bertha";
  for (size_t i = 0; i < words.size(); ++i)
    text += " " + (i == 0 ? words[i] : shown_word(words[i]));
  utsname system{};
  ::uname(&system);
  return text + "\nsystem: " + system.sysname + " " + system.release + " " + system.machine + "\n";
}

void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(number, &action, nullptr);
}

}  // namespace

void watch_for_crashes(std::span<const std::string> words) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static_cast<void>(words);  // their reports say more
#else
  keep(header, header_text(words));
  keep(command, words.empty() ? "bertha" : "bertha " + words[0]);
  const char* temporary = std::getenv("TMPDIR");
  const std::string name = "bertha-crash-" + std::to_string(::getpid()) + ".txt";
  keep(paths[0], "./" + name);
  keep(paths[1], std::string(temporary == nullptr ? "/tmp" : temporary) + "/" + name);
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);  // loads what it needs
  stack_t stack{};
  stack.ss_sp = signal_stack.data();
  stack.ss_size = signal_stack.size();
  ::sigaltstack(&stack, nullptr);
  for (const int defect : kDefects) handle(defect, on_defect, static_cast<int>(SA_ONSTACK));
  handle(stack_signal(), on_stack_request, SA_RESTART);
#endif
}

void remember_message(std::string_view line) {
  const std::lock_guard lock(messages_mutex);
  for (const char c : line) messages[messages_end++ % messages.size()] = c;
}

}  // namespace bertha::doctor
