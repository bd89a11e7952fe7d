#pragma once

// The option table of a command: each option is declared once (field, name, default, help) and
// serves parsing, --help and the run header. It reads a command line as Python's argparse does, so
// that the recipe's command lines work unchanged: `--name value`, `--name=value`, unique prefixes;
// `-` and `_` mean the same in every name.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bertha::cli {

class Options {
 public:
  /// `command` as typed ("bertha tokenize"), `about` one paragraph for --help.
  Options(std::string command, std::string about);

  /// Starts a group of options in --help.
  Options& heading(std::string title);

  /// An option with a value. The present value of the field is the default shown in --help. A bool
  /// field takes a text: "true" in any case is true, everything else is false (the recipe's rule).
  Options& value(const std::string& name, std::string& field, const std::string& help);
  Options& value(const std::string& name, int64_t& field, const std::string& help);
  Options& value(const std::string& name, double& field, const std::string& help);
  Options& value(const std::string& name, bool& field, const std::string& help);
  /// As above; stays empty when the option is not given.
  Options& value(const std::string& name, std::optional<std::string>& field,
                 const std::string& help);
  Options& value(const std::string& name, std::optional<int64_t>& field, const std::string& help);
  /// One or more values after the name, up to the next option.
  Options& values(const std::string& name, std::vector<std::string>& field,
                  const std::string& help);
  /// An option without a value. The field becomes true if the option is given.
  Options& flag(const std::string& name, bool& field, const std::string& help);
  /// An option that is accepted because the recipe has it. `why` says why it does nothing here; it
  /// is logged when the option is given. `usual` is the recipe's default, as Python writes it.
  Options& accepted(const std::string& name, bool takes_value, const std::string& why,
                    const std::string& usual = "None");
  /// Another name of an option declared before.
  Options& alias(const std::string& name, const std::string& of);
  /// A letter for the last declared option: `-b 1M`, `-b1M`, and flags together: `-cb 1M`.
  Options& letter(char letter);
  /// The last declared option must be given.
  Options& required();
  /// Arguments that are not options. There must be at least `least`.
  Options& positional(const std::string& name, std::vector<std::string>& field, size_t least,
                      const std::string& help);

  /// Fills the fields. Throws Error with one line for an unknown or ambiguous option, and for a
  /// missing or malformed value. Returns false for --help; the text is help().
  bool parse(std::span<const std::string> arguments);

  std::string help() const;
  /// The `why` of every accepted option that was given, as "--name: why".
  const std::vector<std::string>& notes() const { return notes_; }
  /// Whether the option was on the command line.
  bool given(const std::string& name) const;
  /// Name and present value of every option, aliases included, as Python writes them: 12, 0.5,
  /// True, None, 'text'. Names have `_` as in argparse's Namespace. An accepted option has the
  /// typed value, or the recipe's default.
  std::vector<std::pair<std::string, std::string>> python_settings() const;

 private:
  /// One row of the table. `set` reads the typed value, `show` prints the present one, `literal`
  /// prints it as Python does.
  struct Option {
    std::string name;  ///< kebab-case, without dashes in front
    char letter = 0;
    std::string metavar;  ///< empty: takes no value
    std::string help;
    std::string heading;  ///< group that starts with this option
    std::vector<std::string> aliases;
    std::function<void(const std::string&)> set;
    std::function<std::string()> show;
    std::function<std::string()> literal;
    std::string accepted_why;
    bool many = false;
    bool required = false;
    bool given = false;
  };

  Option& add(const std::string& name, const std::string& metavar, const std::string& help);
  size_t find(const std::string& typed) const;
  Option& find_letter(char letter, const std::string& word);
  /// Sets an option from the text attached to it, or from the words after `at`.
  void take(Option& option, const std::optional<std::string>& attached,
            std::span<const std::string> words, size_t& at);

  std::string command_;
  std::string about_;
  std::vector<Option> options_;
  std::vector<std::string>* positional_ = nullptr;
  std::string positional_name_;
  std::string positional_help_;
  size_t positional_least_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace bertha::cli
