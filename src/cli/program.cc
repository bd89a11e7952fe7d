#include <fcntl.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"

namespace bertha::cli {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments);
  bool uses_openmp = true;
};

constexpr std::array kCommands = {
    Command{"download", "fetch Wikipedia, SQuAD and BERT weights", run_download, false},
    Command{"prepare", "turn text into pre-training shards (HDF5)", run_prepare, false},
    Command{"vocab", "train a WordPiece vocabulary from text", run_vocab},
    Command{"tokenize", "show how text becomes word pieces", run_tokenize, false},
    Command{"pretrain", "pre-train BERT on shards, phase 1 and phase 2", run_pretrain},
    Command{"squad", "fine-tune, predict and score question answering", run_squad},
    Command{"ask", "answer a question about a passage", run_ask},
    Command{"classify", "fine-tune and use a classifier of texts", run_classify},
    Command{"fill", "predict the [MASK] of a sentence", run_fill},
    Command{"embed", "turn texts into vectors", run_embed},
    Command{"convert", "convert weights between formats", run_convert},
    Command{"inspect", "show what a checkpoint or weight file holds", run_inspect},
    Command{"plan", "say what memory and time pre-training takes on a GPU", run_plan},
    Command{"k8s", "write manifests for Kubernetes", run_k8s, false},
};

std::string usage() {
  std::string text =
      "bertha: pre-train, fine-tune and serve BERT, in one program\n\n"
      "usage: bertha COMMAND [options]\n\n";
  for (const Command& command : kCommands) {
    text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  }
  return text + "\nbertha COMMAND --help explains a command and its options.\n";
}

void log_to_stderr() {
  auto logger = spdlog::stderr_color_mt("bertha");
  logger->set_pattern("%^%l%$: %v");
  spdlog::set_default_logger(logger);
}

/// OpenMP's threads spin while they wait for each other, unless OMP_WAIT_POLICY is passive. When
/// other programs use the cores, a step with spinning threads takes up to ten times as long.
/// Sleeping costs a few microseconds for each loop. The library reads its environment when it is
/// loaded, so the program sets the variable and starts itself again, once. A user's own choice
/// stays. The program starts by its own path, so that the process keeps its name.
void let_waiting_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (unknown || setenv("OMP_WAIT_POLICY", "passive", 0) != 0) return;
  execv(program.c_str(), argv);
}

/// Runs the command. Every exception, also one of a library, becomes one line and status 1.
int run_guarded(const Command& command, Arguments arguments) {
  try {
    return command.run(arguments);
  } catch (const Error& error) {
    spdlog::error("{}", error.what());
  } catch (const std::bad_alloc&) {
    spdlog::error("{}: out of memory", command.name);
  } catch (const std::system_error& error) {
    spdlog::error("bertha {}: {}", command.name, error.what());
  } catch (const std::exception& error) {
    spdlog::error("internal error in bertha {}: {}", command.name, error.what());
  }
  return 1;
}

/// Flushes standard output. If it cannot be written, the command has failed.
int flush_output(int status) {
  const bool flushed = std::fflush(stdout) == 0;
  const char* reason = flushed ? "a part of it is lost" : std::strerror(errno);
  if (flushed && std::ferror(stdout) == 0) return status;
  if (status == 0) spdlog::error("standard output: cannot write: {}", reason);
  return status == 0 ? 1 : status;
}

int run_words(char** argv, const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    std::fputs(usage().c_str(), words.empty() ? stderr : stdout);
    return words.empty() ? 2 : 0;
  }
  if (words[0] == "--version") {
    std::puts("bertha " BERTHA_VERSION);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name != words[0]) continue;
    if (command.uses_openmp) let_waiting_threads_sleep(argv);
    return run_guarded(command, Arguments(words).subspan(1));
  }
  spdlog::error("unknown command \"{}\"; bertha --help lists them", words[0]);
  return 2;
}

/// Fills closed standard streams. Otherwise the first file that a run opens would get the number of
/// standard output, and results would be written into it. Standard output becomes a stream that
/// cannot be written, so that flush_output() reports the loss.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1) continue;
    // The system gives the lowest free number, which is this one.
    if (::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY) != stream) ::_exit(1);
  }
}

}  // namespace

int run_program(int argc, char** argv) {
  open_standard_streams();
  log_to_stderr();
  return flush_output(run_words(argv, {argv + std::min(argc, 1), argv + argc}));
}

}  // namespace bertha::cli
