#include "gaudi/standin/refusal.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "gaudi/standin/settings.h"

namespace bertha::standin {
namespace {

std::atomic<int32_t> broken_rules{0};
std::mutex last_line_mutex;

/// Never destroyed: threads of streams may run until the process ends.
std::string& last_line() {
  static std::string& line = *new std::string;
  return line;
}

/// What a correct program may meet as well: a limit, a missing GUID, a fault that was asked for.
bool may_happen_to_a_correct_program(std::string_view broken) {
  return broken == rule::kFault || broken == rule::kMemoryLimit || broken == rule::kSettings ||
         broken == rule::kGuid || broken == rule::kConnection;
}

}  // namespace

void report(std::string_view call, const Refusal& refusal) {
  if (refusal.reported()) return;
  const std::string line = fmt::format("{}: [{}] {}", call, refusal.rule(), refusal.text());
  std::fputs(("synapse stand-in: " + line + "\n").c_str(), stderr);
  {
    const std::lock_guard lock(last_line_mutex);
    last_line() = line;
  }
  if (may_happen_to_a_correct_program(refusal.rule())) return;
  ++broken_rules;
  if (settings().abort_on_broken_rule) std::abort();
}

}  // namespace bertha::standin

int32_t standin_broken_rules() {
  return bertha::standin::broken_rules;
}

const char* standin_last_line() {
  static thread_local std::string copy;
  const std::lock_guard lock(bertha::standin::last_line_mutex);
  copy = bertha::standin::last_line();
  return copy.c_str();
}
