#pragma once

// The commands that every_call_test.cc runs, on tiny data.

#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace bertha::test {

struct FaultCase {
  std::string name;
  /// Writes into `folder` what the command reads.
  std::function<void(const std::string& folder)> inputs;
  /// The command, run anywhere. All that it writes lies in `folder`/out.
  std::function<std::vector<std::string>(const std::string& folder)> words;
  /// Fills `folder`/out, which is new, before a run; none leaves it away.
  std::function<void(const std::string& folder)> start = {};
};

inline std::ostream& operator<<(std::ostream& out, const FaultCase& tested) {
  return out << tested.name;
}

const std::vector<FaultCase>& fault_cases();

/// What a file holds, for comparison: a checkpoint's step, weights and moments, else its bytes.
std::string contents_of(const std::string& path);

}  // namespace bertha::test
