#pragma once

// What `bertha doctor` prints: one fact a line, for people or as JSON.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bertha::doctor {

/// kNote: it works, and costs speed or a feature. kProblem: something will not work.
enum class State : uint8_t { kFine, kNote, kProblem };

struct Fact {
  std::string name;  ///< one word: "threads"
  State state = State::kFine;
  std::string text = {};               ///< what was found, and what to do about a problem
  nlohmann::ordered_json values = {};  ///< the same as numbers and texts
};

struct Report {
  std::vector<Fact> facts;

  /// False when there is a problem.
  bool works() const;
};

/// A line for each fact, wrapped at `width` columns, and a last line that counts the problems.
std::string report_text(const Report& report, size_t width);
/// {"works": true, "facts": [{"name": …, "state": "fine", "text": …, "values": {…}}, …]}
std::string report_json(const Report& report);

/// "3.1 GiB".
std::string format_bytes(double bytes);

}  // namespace bertha::doctor
