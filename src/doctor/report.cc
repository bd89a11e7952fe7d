#include "doctor/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace bertha::doctor {
namespace {

const char* name_of(State state) {
  static constexpr std::array kNames = {"fine", "note", "problem"};
  return kNames.at(static_cast<size_t>(state));
}

/// "note: " or "problem: " with the words of the text, in lines with an indent.
std::string wrapped(const Fact& fact, size_t indent, size_t width) {
  const std::string mark =
      fact.state == State::kFine ? "" : fmt::format("{}: ", name_of(fact.state));
  std::istringstream words(mark + fact.text);
  std::string text;
  size_t column = indent;
  for (std::string word; words >> word;) {
    const bool first = column == indent;
    if (!first && column + 1 + word.size() > width) {
      text += "\n" + std::string(indent, ' ') + word;
      column = indent + word.size();
    } else {
      text += (first ? "" : " ") + word;
      column += word.size() + (first ? 0 : 1);
    }
  }
  return text;
}

}  // namespace

bool Report::works() const {
  return std::ranges::count(facts, State::kProblem, &Fact::state) == 0;
}

std::string report_text(const Report& report, size_t width) {
  constexpr size_t kIndent = 13;
  std::string text;
  for (const Fact& fact : report.facts) {
    text += fmt::format("{:<{}}{}\n", fact.name, kIndent, wrapped(fact, kIndent, width));
  }
  std::string problems;
  for (const Fact& fact : report.facts) {
    if (fact.state == State::kProblem) problems += (problems.empty() ? "" : ", ") + fact.name;
  }
  return text + (report.works() ? "\nEverything that was tried works.\n"
                                : fmt::format("\nThis will not work: {}.\n", problems));
}

std::string report_json(const Report& report) {
  nlohmann::ordered_json json = {{"works", report.works()},
                                 {"facts", nlohmann::ordered_json::array()}};
  for (const Fact& fact : report.facts) {
    nlohmann::ordered_json entry = {
        {"name", fact.name}, {"state", name_of(fact.state)}, {"text", fact.text}};
    if (!fact.values.is_null()) entry["values"] = fact.values;
    json["facts"].push_back(entry);
  }
  using Handler = nlohmann::ordered_json::error_handler_t;
  return json.dump(2, ' ', false, Handler::replace) + "\n";
}

std::string format_bytes(double bytes) {
  static constexpr std::array kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 || bytes >= 100 ? fmt::format("{:.0f} {}", bytes, kUnits.at(unit))
                                   : fmt::format("{:.1f} {}", bytes, kUnits.at(unit));
}

}  // namespace bertha::doctor
