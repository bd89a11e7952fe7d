#include "cli/command_list.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "cli/options.h"
#include "core/error.h"
#include "core/nearest_name.h"
#include "core/strings.h"

namespace bertha::cli {
namespace {

constexpr std::array kCommands = {
    Command{"download", "fetch Wikipedia, SQuAD and BERT weights", run_download},
    Command{"prepare", "turn text into pre-training shards (HDF5)", run_prepare},
    Command{"vocab", "train a WordPiece vocabulary from text", run_vocab},
    Command{"tokenize", "show how text becomes word pieces", run_tokenize},
    Command{"pretrain", "pre-train BERT on shards, phase 1 and phase 2", run_pretrain},
    Command{"squad", "fine-tune, predict and score question answering", run_squad},
    Command{"ask", "answer a question about a passage", run_ask},
    Command{"classify", "fine-tune and use a classifier of texts", run_classify},
    Command{"tag", "fine-tune and use a classifier of words: named entities", run_tag},
    Command{"fill", "predict the [MASK] of a sentence", run_fill},
    Command{"embed", "turn texts into vectors", run_embed},
    Command{"serve", "serve models over HTTP", run_serve},
    Command{"load", "measure a server with requests at random times", run_load},
    Command{"convert", "convert weights between formats", run_convert},
    Command{"inspect", "show what a checkpoint or weight file holds", run_inspect},
    Command{"plan", "say what memory and time pre-training takes on a GPU or CPU", run_plan},
    Command{"k8s", "write manifests for Kubernetes", run_k8s},
    Command{"doctor", "show what this machine offers, and what will not work", run_doctor},
    Command{"completion", "print completions for a shell, and manual pages", run_completion},
};

struct Replacement {
  std::string_view script;  ///< of the recipe, without its ending
  std::string_view command;
};

constexpr std::array kReplacements = {
    Replacement{"run_pretraining", "pretrain"},
    Replacement{"run_squad", "squad"},
    Replacement{"create_datasets_from_start", "prepare"},
    Replacement{"bertPrep", "prepare"},
    Replacement{"WikiExtractor", "prepare extract"},
    Replacement{"create_pretraining_data", "prepare instances"},
    Replacement{"pack_pretraining_data_pytorch", "prepare pack"},
    Replacement{"pytorch_packed_data_checker", "prepare verify"},
    Replacement{"squad_download", "download squad"},
    Replacement{"evaluate-v1.1", "squad score"},
    Replacement{"evaluate-v2.0", "squad score"},
};

/// The command that replaces this script of the recipe, or an empty text.
std::string_view replacement_of(const std::string& typed) {
  const std::filesystem::path name = std::filesystem::path(typed).filename();
  const auto* const found = std::ranges::find_if(kReplacements, [&](const Replacement& row) {
    return row.script == name.string() || row.script == name.stem().string();
  });
  return found == kReplacements.end() ? std::string_view() : found->command;
}

[[noreturn]] void fail_unknown(const std::string& typed) {
  if (const std::string_view command = replacement_of(typed); !command.empty()) {
    throw UsageError(fmt::format("\"{}\" of the recipe is bertha {} here", typed, command));
  }
  std::vector<std::string> names = {"help", "version"};
  for (const Command& command : kCommands) names.emplace_back(command.name);
  const std::string nearest = suggestion(typed, names);
  throw UsageError(fmt::format("unknown command \"{}\"{}", typed,
                               nearest.empty() ? "; bertha --help lists them" : nearest));
}

/// The page that a command throws when it is asked for help.
CommandPage described(Arguments words) {
  std::vector<std::string> rest(words.begin() + 1, words.end());
  rest.emplace_back("--help-all");
  try {
    find_command(words[0]).run(rest);
  } catch (const HelpRequested& help) {
    return help.page;
  }
  BERTHA_CHECK(false, "bertha {} has no page", words[0]);
  return {};
}

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

const Command& find_command(const std::string& name) {
  const auto* const found = std::ranges::find(kCommands, name, &Command::name);
  if (found == kCommands.end()) fail_unknown(name);
  return *found;
}

CommandPage program_page() {
  CommandPage page;
  page.command = "bertha";
  page.summary = "pre-train, fine-tune and serve BERT";
  page.about = "Pre-trains, fine-tunes, uses and serves BERT, in one program.";
  for (const Command& command : kCommands) {
    page.subcommands.push_back({std::string(command.name), std::string(command.summary)});
  }
  OptionRow help;
  help.name = "help";
  help.letter = 'h';
  help.help = "list the commands; after a command: explain it. bertha help COMMAND does the same";
  OptionRow version;
  version.name = "version";
  version.letter = 'V';
  version.help = "print the version, the commit, the compiler and the libraries";
  page.options = {help, version};
  return page;
}

CommandPage page_of(Arguments words) {
  if (words.empty()) return program_page();
  CommandPage page = described(words.first(1));
  page.summary = find_command(words[0]).summary;
  if (words.size() == 1) return page;
  std::vector<std::string> names;
  for (const Subcommand& sub : page.subcommands) names.push_back(sub.name);
  const auto found = std::ranges::find(page.subcommands, words[1], &Subcommand::name);
  if (words.size() > 2 || found == page.subcommands.end()) {
    throw UsageError(fmt::format("bertha {} has no command \"{}\"{}", words[0],
                                 join(words.subspan(1), " "), suggestion(words[1], names)));
  }
  CommandPage below = described(words);
  below.summary = found->summary;
  return below;
}

std::vector<CommandPage> all_pages() {
  std::vector<CommandPage> pages;
  for (const Command& command : kCommands) {
    const std::string name(command.name);
    pages.push_back(page_of(std::array{name}));
    for (const Subcommand& sub : std::vector(pages.back().subcommands)) {
      pages.push_back(page_of(std::array{name, sub.name}));
    }
  }
  return pages;
}

bool asks_for_help(Arguments arguments) {
  return std::ranges::any_of(arguments, [](const std::string& word) {
    return word == "-h" || word == "--help" || kebab_case(word) == "--help-all";
  });
}

}  // namespace bertha::cli
