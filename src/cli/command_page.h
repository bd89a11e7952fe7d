#pragma once

// A command as its help, its completions and its manual page show it: a copy of its option table.

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::cli {

/// What the value of an option is. Completion offers files, folders, or the listed words.
enum class ValueKind : uint8_t { kNone, kText, kNumber, kChoice, kFile, kFolder };

struct OptionRow {
  std::string name;  ///< kebab-case, without dashes in front
  char letter = 0;
  std::vector<std::string> aliases;
  ValueKind kind = ValueKind::kNone;
  std::string placeholder;           ///< "FILE"; empty: takes no value
  std::vector<std::string> choices;  ///< the words that kChoice takes
  std::string help;
  std::string group;   ///< heading under which the option stands
  std::string preset;  ///< the default, as it is typed; empty: none
  bool many = false;   ///< takes one value or more
  bool required = false;
  bool hidden = false;  ///< taken for the recipe's sake: --help-all shows it, --help does not
};

/// A command line that works, and what it does.
struct Example {
  std::string words;
  std::string purpose;
};

struct Subcommand {
  std::string name;
  std::string summary;
};

struct CommandPage {
  std::string command;  ///< as typed: "bertha prepare extract"
  std::string summary;  ///< a line without a full stop, as lists of commands show it
  std::string about;
  std::vector<Example> examples;
  std::vector<Subcommand> subcommands;
  std::string positional_name;  ///< empty: the command takes options alone
  std::string positional_help;
  ValueKind positional_kind = ValueKind::kText;
  std::vector<OptionRow> options;
};

}  // namespace bertha::cli
