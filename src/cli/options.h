#pragma once

// The option table of a command: each option is declared once (field, name, default, help) and
// serves parsing, --help, completion, the manual page and the run header. It reads a command line
// as Python's argparse does, so that the recipe's command lines work unchanged: `--name value`,
// `--name=value`, unique prefixes; `-` and `_` mean the same in every name.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/command_page.h"
#include "core/error.h"

namespace bertha::cli {

/// A command line that the option table does not allow. The exit status is 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Thrown by parse() for --help and --help-all. It is no std::exception, so that no handler of
/// errors takes it; the program catches it and prints the page.
struct HelpRequested {
  CommandPage page;
  bool all = false;  ///< with the hidden options
};

class Options {
 public:
  /// `command` as typed ("bertha tokenize"), `about` one paragraph for --help.
  Options(std::string command, std::string about);

  /// A command line that works, for the top of --help. `purpose` is a sentence without a full stop.
  Options& example(std::string words, std::string purpose);
  /// A word that may follow the command and has an option table of its own.
  Options& subcommand(std::string name, std::string summary);
  /// The options declared after this call stand under this heading in --help.
  Options& heading(std::string title);

  /// An option with a value. The present value of the field is the default shown in --help. Numbers
  /// must be finite. A bool field takes true or false, in any case.
  Options& value(const std::string& name, std::string& field, const std::string& help);
  Options& value(const std::string& name, int64_t& field, const std::string& help);
  Options& value(const std::string& name, double& field, const std::string& help);
  Options& value(const std::string& name, bool& field, const std::string& help);
  /// As above; stays empty when the option is not given.
  Options& value(const std::string& name, std::optional<std::string>& field,
                 const std::string& help);
  Options& value(const std::string& name, std::optional<int64_t>& field, const std::string& help);
  /// The value is one of `words`. An empty field means that nothing was chosen.
  Options& choice(const std::string& name, std::string& field, std::vector<std::string> words,
                  const std::string& help);
  /// The value is the path of a file, or of a folder. parse() does not open it.
  Options& file(const std::string& name, std::string& field, const std::string& help);
  Options& file(const std::string& name, std::optional<std::string>& field,
                const std::string& help);
  Options& folder(const std::string& name, std::string& field, const std::string& help);
  Options& folder(const std::string& name, std::optional<std::string>& field,
                  const std::string& help);
  /// One or more values after the name, up to the next option.
  Options& values(const std::string& name, std::vector<std::string>& field,
                  const std::string& help);
  /// As values(), for paths of files.
  Options& files(const std::string& name, std::vector<std::string>& field, const std::string& help);
  /// An option without a value. The field becomes true if the option is given.
  Options& flag(const std::string& name, bool& field, const std::string& help);
  /// An option that is accepted because the recipe has it. `why` says why it does nothing here; it
  /// is logged when the option is given. `usual` is the recipe's default, as Python writes it.
  Options& accepted(const std::string& name, bool takes_value, const std::string& why,
                    const std::string& usual = "None");
  /// Another name of an option declared before.
  Options& alias(const std::string& name, const std::string& of);

  // What follows changes the option declared last.

  /// A letter: `-b 1M`, `-b1M`, and flags together: `-cb 1M`.
  Options& letter(char letter);
  /// The option must be given.
  Options& required();
  /// The option is here for the recipe's command lines: only --help-all shows it.
  Options& hidden();

  /// Arguments that are not options. There must be at least `least`.
  Options& positional(const std::string& name, std::vector<std::string>& field, size_t least,
                      const std::string& help, ValueKind kind = ValueKind::kText);

  /// Fills the fields. Throws UsageError with one line for an unknown or ambiguous option, and for
  /// a missing or wrong value; HelpRequested for --help.
  void parse(std::span<const std::string> arguments);

  CommandPage page() const;
  /// The `why` of every accepted option that was given, as "--name: why".
  const std::vector<std::string>& notes() const { return notes_; }
  /// Whether the option was on the command line.
  bool given(const std::string& name) const;
  /// Name and present value of every option, aliases included, as Python writes them: 12, 0.5,
  /// True, None, 'text'. Names have `_` as in argparse's Namespace. An accepted option has the
  /// typed value, or the recipe's default.
  std::vector<std::pair<std::string, std::string>> python_settings() const;

 private:
  /// One row of the table. `set` reads the typed value, `literal` prints the present one as Python
  /// does.
  struct Option : OptionRow {
    std::function<void(const std::string&)> set;
    std::function<std::string()> literal;
    std::string accepted_why;
    bool given = false;
  };

  Option& add(const std::string& name, ValueKind kind, const std::string& placeholder,
              const std::string& preset, const std::string& help);
  /// Makes the option declared last one that takes a path.
  Options& as_path(ValueKind kind, const char* placeholder);
  size_t find(const std::string& typed) const;
  /// Whether the table itself declares the option of this word, "--quiet" or "-q".
  bool has_own(const std::string& word) const;
  [[noreturn]] void fail_unknown(const std::string& typed) const;
  Option& find_letter(char letter, const std::string& word);
  /// Sets an option from the text attached to it, or from the words after `at`.
  void take(Option& option, const std::optional<std::string>& attached,
            std::span<const std::string> words, size_t& at);
  void take_long(std::span<const std::string> words, size_t& at);
  void take_letters(std::span<const std::string> words, size_t& at);
  void take_positional(const std::string& word);
  /// Throws UsageError if something is missing.
  void check_complete() const;

  CommandPage described_;  ///< all but the options
  std::string group_;
  std::vector<Option> options_;
  std::vector<std::string>* positional_ = nullptr;
  size_t positional_least_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace bertha::cli
