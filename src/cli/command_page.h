#pragma once

// A command as its help, its completions and its manual page show it: a copy of its option table.

#include <cstdint>
#include <string>
#include <string_view>
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

/// A number or a name, and what it means.
struct Meaning {
  std::string_view name;
  std::string_view text;
};

/// The exit statuses of the program.
inline constexpr Meaning kExitStatuses[] = {
    {"0", "done"},
    {"1", "an error was printed; with `inspect --diff`: the files differ"},
    {"2", "the command line is wrong"},
    {"75", "a signal stopped the run after it had saved; the same command continues"},
};

/// The environment variables that users set.
inline constexpr Meaning kEnvironment[] = {
    {"OMP_NUM_THREADS",
     "number of threads; otherwise as many as the cores and the quota of the process allow"},
    {"BERTHA_MAX_ISA", "highest instruction set to use: avx2, avx512, avx512_bf16 or amx"},
    {"BERTHA_MPI", "plugin for MPI to load: openmpi, mpich or a path"},
    {"BERT_PREP_WORKING_DIR", "working folder of `bertha prepare`"},
    {"COLUMNS", "columns of --help where standard output is not a terminal"},
    {"NO_COLOR", "set and not empty: no colours"},
    {"SSL_CERT_FILE", "certificates that `bertha download` trusts, in place of the system's"},
    {"BERTHA_CUDA_GRAPHS", "0: CUDA graphs are not used, to find faults"},
    {"BERTHA_CUDA_PLANS", "file that keeps the choice of algorithms of cuBLASLt between runs"},
};

}  // namespace bertha::cli
