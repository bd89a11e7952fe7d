#include "faults/fault_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>

#include "support/files.h"

namespace bertha::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongest = 60s;

void set_number(const char* name, int64_t value) {
  ::setenv(name, std::to_string(value).c_str(), 1);
}

/// For the program that is started next.
void set_fault(const std::string& count, const Fault& fault, int64_t at) {
  ::setenv("LD_PRELOAD", BERTHA_FAILING_CALLS, 1);
  ::setenv("BERTHA_FAULT_KIND", fault.kind, 1);
  ::setenv("BERTHA_FAULT_COUNT", count.c_str(), 1);
  set_number("BERTHA_FAULT_AT", at);
  set_number("BERTHA_FAULT_ERROR", fault.error);
  set_number("BERTHA_FAULT_TIMES", fault.times);
}

}  // namespace

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> kFaults = {
      {"open", EMFILE},   {"open", EACCES},      {"read", EIO},         {"read", EINTR},
      {"read", kShort},   {"write", ENOSPC},     {"write", EDQUOT},     {"write", EINTR},
      {"write", kShort},  {"flush", EIO},        {"flush", ENOSPC},     {"rename", EROFS},
      {"mmap", ENOMEM},   {"close", EIO},        {"allocate", ENOSPC},  {"unlink", EIO},
      {"status", EIO},    {"folder", EIO},       {"thread", EAGAIN},    {"socket", EMFILE},
      {"memory", ENOMEM}, {"memory", ENOMEM, 2}, {"memory", ENOMEM, 0}, {"write", ENOSPC, 0}};
  return kFaults;
}

std::string name_of(const Fault& fault) {
  const char* error = fault.error == kShort ? "short" : ::strerrorname_np(fault.error);
  const std::string times = fault.times == 0 ? ".all" : fmt::format(".{}", fault.times);
  return fmt::format("{}.{}{}", fault.kind, error, fault.times == 1 ? "" : times);
}

FaultyProgram::FaultyProgram(const std::string& folder, const std::vector<std::string>& words,
                             const Fault& fault, int64_t at)
    : folder_(folder) {
  for (const char* name : {"count", "stdout", "stderr"}) {
    std::filesystem::remove(folder_ + "/" + name);
  }
  std::fflush(nullptr);  // the child must not write what is buffered here
  set_fault(folder_ + "/count", fault, at);
  child_ = start_program(words, folder_ + "/stdout", folder_ + "/stderr");
  ::unsetenv("LD_PRELOAD");
}

FaultyProgram::~FaultyProgram() {
  if (ended()) return;
  signal(SIGKILL);
  ::waitpid(child_, &status_, 0);
}

bool FaultyProgram::ended() {
  if (!reaped_) reaped_ = ::waitpid(child_, &status_, WNOHANG) == child_;
  return reaped_;
}

void FaultyProgram::signal(int number) const {
  if (!reaped_) ::kill(child_, number);
}

std::string FaultyProgram::said() const {
  return read_all(folder_ + "/stderr");
}

FaultyEnd FaultyProgram::wait() {
  const auto limit = std::chrono::steady_clock::now() + kLongest;
  while (!ended() && std::chrono::steady_clock::now() < limit) std::this_thread::sleep_for(1ms);
  FaultyEnd end;
  end.hung = !ended();
  if (end.hung) {
    signal(SIGKILL);
    ::waitpid(child_, &status_, 0);
    reaped_ = true;
  }
  end.outcome = {.status = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_),
                 .printed = read_all(folder_ + "/stdout"),
                 .said = said()};
  std::array<int64_t, 2> counts{};
  const std::string bytes = read_all(folder_ + "/count");
  std::memcpy(counts.data(), bytes.data(), std::min(bytes.size(), sizeof counts));
  end.calls = counts[0];
  end.failed = counts[1];
  return end;
}

std::vector<int64_t> points_of(int64_t calls) {
  constexpr int64_t kFew = 3;
  const char* wanted = std::getenv("BERTHA_FAULTS");
  int64_t most = wanted == nullptr ? kFew : std::atoll(wanted);
  if (wanted != nullptr && std::string_view(wanted) == "all") most = calls;
  most = std::min(std::max(most, int64_t{2}), calls);
  std::vector<int64_t> points;
  for (int64_t i = 0; i < most; ++i) {
    points.push_back(most == 1 ? 1 : 1 + i * (calls - 1) / (most - 1));
  }
  return points;
}

std::string describe(const std::string& command, const Fault& fault, int64_t at,
                     const FaultyEnd& end) {
  std::string text = fmt::format("{} {} call {} of {}: status {}", command, name_of(fault), at,
                                 end.calls, end.outcome.status);
  std::istringstream lines(end.outcome.said);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("info:") && !line.starts_with("warning:")) text += ", " + line;
  }
  return text;
}

void add_to_table(const std::string& line) {
  const char* path = std::getenv("BERTHA_FAULTS_TABLE");
  if (path != nullptr) std::ofstream(path, std::ios::app) << line << "\n";
}

}  // namespace bertha::test
