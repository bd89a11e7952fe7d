#pragma once

// The program itself, run as a user runs it.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace bertha::test {

struct Outcome {
  int status = -1;  ///< exit status; 128 + the signal that ended the program
  std::string printed;
  std::string said;  ///< on standard error

  /// Lines of standard error that start with "error:".
  int64_t errors() const {
    int64_t count = 0;
    std::istringstream lines(said);
    for (std::string line; std::getline(lines, line);) count += line.starts_with("error:") ? 1 : 0;
    return count;
  }
};

struct Limits {
  int64_t file_bytes = 0;  ///< of the largest file the program may write; 0: no limit
  std::string input{};     ///< a file that is the standard input; empty: that of the test
};

/// The program ended with one error line that names all of `parts`.
inline void expect_one_error(const Outcome& outcome, const std::vector<std::string>& parts) {
  EXPECT_GT(outcome.status, 0) << outcome.printed;
  EXPECT_LT(outcome.status, 75) << outcome.said;
  EXPECT_EQ(outcome.errors(), 1) << outcome.said;
  EXPECT_EQ(outcome.said.find("internal error"), std::string::npos) << outcome.said;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.said.find(part), std::string::npos) << part << " in: " << outcome.said;
  }
}

/// Starts the program with its outputs in two files.
inline pid_t start_program(const std::vector<std::string>& arguments,
                           const std::string& standard_output, const std::string& standard_error,
                           const Limits& limits = {}) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  std::vector<char*> words;
  std::vector<std::string> texts = {BERTHA_PROGRAM};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  words.reserve(texts.size() + 1);
  for (std::string& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  if (std::freopen(standard_output.c_str(), "w", stdout) == nullptr ||
      std::freopen(standard_error.c_str(), "w", stderr) == nullptr) {
    ::_exit(126);
  }
  if (!limits.input.empty() && std::freopen(limits.input.c_str(), "r", stdin) == nullptr) {
    ::_exit(126);
  }
  ::setenv("OMP_NUM_THREADS", "1", 1);
  if (limits.file_bytes > 0) {
    // As a full disk: the write fails half way through.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {static_cast<rlim_t>(limits.file_bytes),
                          static_cast<rlim_t>(limits.file_bytes)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::execv(words[0], words.data());
  ::_exit(127);
}

inline Outcome wait_for_program(pid_t child, const std::string& standard_output,
                                const std::string& standard_error) {
  const auto read = [](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read(standard_output),
          read(standard_error)};
}

}  // namespace bertha::test
