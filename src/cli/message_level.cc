#include "cli/message_level.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "cli/options.h"
#include "comm/launch.h"
#include "core/nearest_name.h"
#include "core/strings.h"
#include "runlog/status_line.h"

namespace bertha::cli {
namespace {

constexpr std::string_view kLevelOption = "--log-level";

/// Ranks other than 0 report errors alone, whatever the user asks for.
void choose(const std::string& level) {
  if (comm::launched_rank() == 0) set_message_level(level);
}

}  // namespace

std::vector<std::string> message_levels() {
  return {"debug", "info", "warning", "error"};
}

void set_message_level(const std::string& level) {
  spdlog::set_level(spdlog::level::from_str(level));
  runlog::enable_status_lines(level == "debug" || level == "info");
}

std::vector<OptionRow> message_options() {
  OptionRow quiet;
  quiet.name = "quiet";
  quiet.letter = 'q';
  quiet.help = "show warnings and errors alone, and no status line";
  OptionRow verbose;
  verbose.name = "verbose";
  verbose.letter = 'v';
  verbose.help = "also show details, for example the device";
  OptionRow level;
  level.name = "log-level";
  level.kind = ValueKind::kChoice;
  level.choices = message_levels();
  level.placeholder = join(level.choices, "|");
  level.preset = "info";
  level.help = "the least important messages to show";
  std::vector<OptionRow> rows = {quiet, verbose, level};
  for (OptionRow& row : rows) row.group = "messages";
  return rows;
}

bool take_message_option(std::span<const std::string> words, size_t& at) {
  const std::string& word = words[at];
  if (word == "-q" || word == "--quiet") {
    choose("warning");
    return true;
  }
  if (word == "-v" || word == "--verbose") {
    choose("debug");
    return true;
  }
  const size_t equals = std::min(word.find('='), word.size());
  if (kebab_case(word.substr(0, equals)) != kLevelOption) return false;
  if (equals == word.size() && at + 1 == words.size()) {
    throw UsageError(
        fmt::format("{} needs a value ({})", kLevelOption, join(message_levels(), "|")));
  }
  const std::string level = equals == word.size() ? words[++at] : word.substr(equals + 1);
  const std::vector<std::string> levels = message_levels();
  if (std::ranges::find(levels, level) == levels.end()) {
    throw UsageError(fmt::format("{} {}: expected {}", kLevelOption, level, join(levels, ", ")));
  }
  choose(level);
  return true;
}

}  // namespace bertha::cli
