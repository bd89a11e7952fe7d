#pragma once

// Runs the program with the library of failing_calls.cc.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/program.h"

namespace bertha::test {

/// A kind of call, as failing_calls.cc names it, and how it fails.
struct Fault {
  const char* kind;
  int error;      ///< errno, or kShort
  int times = 1;  ///< so many calls in a row; 0: all later ones
};

constexpr int kShort = -1;

/// All that are tried.
const std::vector<Fault>& all_faults();
/// "write.ENOSPC", "memory.ENOMEM.2", "write.ENOSPC.all".
std::string name_of(const Fault& fault);

struct FaultyEnd {
  Outcome outcome;
  int64_t calls = 0;   ///< of the kind, counted
  int64_t failed = 0;  ///< of these, made to fail
  bool hung = false;   ///< it was killed after a minute
};

/// A program that runs; its outputs go to files of `folder`.
class FaultyProgram {
 public:
  /// `at` counts from 1; with 0 no call fails.
  FaultyProgram(const std::string& folder, const std::vector<std::string>& words,
                const Fault& fault, int64_t at);
  FaultyProgram(const FaultyProgram&) = delete;
  FaultyProgram& operator=(const FaultyProgram&) = delete;
  ~FaultyProgram();

  bool ended();
  void signal(int number) const;
  /// What it has said so far.
  std::string said() const;
  /// Waits for its end, for a minute at most.
  FaultyEnd wait();

 private:
  std::string folder_;
  pid_t child_;
  int status_ = 0;
  bool reaped_ = false;
};

/// The points to try of `calls` that a run makes. Most: all of them where BERTHA_FAULTS is "all",
/// its number where it is one, else a few; they are spread evenly, with the first and the last.
std::vector<int64_t> points_of(int64_t calls);

/// "prepare write.ENOSPC call 3 of 56: status 1, error: …", for messages of tests.
std::string describe(const std::string& command, const Fault& fault, int64_t at,
                     const FaultyEnd& end);

/// Adds a line to the file of BERTHA_FAULTS_TABLE, where it is set.
void add_to_table(const std::string& line);

}  // namespace bertha::test
