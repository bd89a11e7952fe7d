#pragma once

// What the environment asks of the stand-in. README.md documents the variables.

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "gaudi/standin/synapse_interface.h"

namespace bertha::standin {

struct Settings {
  int32_t device_type = kGaudi2;
  uint32_t devices = 8;
  uint64_t memory_bytes = uint64_t{2} << 30;
  uint64_t seed = 1;
  uint64_t delay_microseconds = 200;  ///< the longest delay of an operation of a stream
  bool abort_on_broken_rule = false;
  bool old_layout = false;                 ///< the geometry struct of an older library
  std::set<std::string> absent_guids;      ///< treated as unknown
  std::map<std::string, uint64_t> faults;  ///< "launch" -> 3: the third launch fails

  /// Reads the environment. Throws Refusal for a value that it does not understand.
  static Settings from_environment();
};

/// The settings of the process, read at the first use.
const Settings& settings();
/// Whether this call is the one that the environment wants to fail. Counts the calls of `kind`.
bool fault_is_due(const std::string& kind);

}  // namespace bertha::standin
