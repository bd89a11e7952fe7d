#include "doctor/mpi_facts.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <sstream>
#include <vector>

#include "comm/device_communicator.h"
#include "comm/mpi/mpi_library.h"
#include "core/error.h"

namespace bertha::doctor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPassed = "two ranks agree";

/// The first program of these names on the PATH, or an empty path.
std::string find_program(std::initializer_list<const char*> names) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    for (const char* name : names) {
      const fs::path program = fs::path(folder) / name;
      std::error_code ignored;
      if (fs::is_regular_file(program, ignored) && ::access(program.c_str(), X_OK) == 0) {
        return program.string();
      }
    }
  }
  return "";
}

/// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

struct CommandResult {
  int status = -1;
  std::string output;  ///< of both streams
};

CommandResult run_command(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return result;
  std::array<char, 4096> block;
  for (size_t got; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) {
    if (result.output.size() < (1 << 20)) result.output.append(block.data(), got);
  }
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return result;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// Variables that let a launcher start two ranks anywhere: as root in a container, on one core, and
/// for a minute at most. Open MPI 4 reads OMPI_, Open MPI 5 PRTE_, MPICH the rest.
constexpr const char* kLaunchEnvironment =
    "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
    "OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_ALLOW_RUN_AS_ROOT=1 "
    "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe "
    "MPIEXEC_TIMEOUT=60 OMP_NUM_THREADS=1";

/// Starts the two ranks and adds what came of it.
void try_two_ranks(const std::string& launcher, const std::string& device, Fact& fact) {
  const std::string choice = device.empty() ? "" : " --device=" + device;
  const std::string program = fs::read_symlink("/proc/self/exe").string();
  const CommandResult result =
      run_command(fmt::format("{} {} -n 2 {} doctor --{}{}", kLaunchEnvironment, quoted(launcher),
                              quoted(program), kRankOption, choice));
  const size_t passed = result.output.find(kPassed);
  const bool works = result.status == 0 && passed != std::string::npos;
  fact.values["two_ranks_work"] = works;
  if (works) {
    fact.text += "; " + first_line(result.output.substr(passed));
    return;
  }
  fact.state = State::kProblem;
  fact.text += fmt::format("; two ranks do not work (status {}): {}", result.status, result.output);
}

Fact fact_of_ranks(bool test, const std::string& device) {
  Fact fact{.name = "MPI"};
  const comm::MpiLibrary library = comm::load_mpi();
  // "Open MPI v4.1.4, package: ...", or several lines of MPICH.
  const std::string version = library.version.substr(0, library.version.find_first_of(",\n"));
  const std::string launcher = find_program({"mpirun", "mpiexec"});
  fact.values = {{"library", version}, {"plugin", library.plugin}, {"launcher", launcher}};
  if (library.functions == nullptr || launcher.empty()) {
    fact.state = test ? State::kProblem : State::kNote;
    fact.text = library.functions == nullptr
                    ? "none, one rank only: " + library.problem
                    : version + ", but no mpirun or mpiexec is on the PATH: one rank only";
    return fact;
  }
  fact.text = fmt::format("{}, launcher {}", version, launcher);
  if (test) {
    try_two_ranks(launcher, device, fact);
  } else {
    fact.text += "; --mpi tries two ranks";
  }
  return fact;
}

}  // namespace

Fact fact_of_mpi(bool test) {
  return fact_of_ranks(test, "");
}

Fact fact_of_device_ranks(const std::string& device) {
  return fact_of_ranks(true, device);
}

void check_ranks(comm::Communicator& world) {
  constexpr int64_t kValues = 1 << 17;
  if (world.ranks() != 2) fail("expected 2 ranks, this world has {}", world.ranks());
  std::vector<double> values(kValues);
  std::iota(values.begin(), values.end(), static_cast<double>(world.rank()));
  const auto start = std::chrono::steady_clock::now();
  world.all_reduce(values, comm::Stage::kMetrics);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (int64_t i = 0; i < kValues; ++i) {
    const double sum = values[static_cast<size_t>(i)];
    if (sum != static_cast<double>(2 * i + 1)) fail("the all-reduce gave {} at {}", sum, i);
  }
  const auto word = static_cast<uint64_t>(world.rank() + 7);
  if (world.all_gather(word, comm::Stage::kMetrics) != std::vector<uint64_t>{7, 8}) {
    fail("the all-gather gave wrong values");
  }
  if (world.broadcast_text(world.leads() ? "from rank 0" : "", comm::Stage::kMetrics) !=
      "from rank 0") {
    fail("the broadcast gave a wrong text");
  }
  world.barrier(comm::Stage::kBarrier);
  if (!world.leads()) return;
  fmt::print("{}: all-reduce, all-gather and broadcast, 1 MiB in {:.2f} ms\n", kPassed,
             1e3 * seconds);
}

void check_device_ranks(comm::Communicator& world, const DeviceEntry& entry) {
  constexpr int64_t kValues = 1 << 18;
  const std::unique_ptr<Device> device = entry.open(world.local_rank());
  const std::unique_ptr<comm::Communicator> own = comm::choose_device_communicator(world, *device);
  comm::Communicator& ranks = own ? *own : world;
  const Buffer buffer = device->allocate(kValues * 4);
  const Tensor tensor(&buffer, 0, DType::kF32, {kValues});
  std::vector<float> values(kValues);
  std::iota(values.begin(), values.end(), static_cast<float>(world.rank()));
  device->write(Out(tensor), values.data());
  ranks.all_reduce(InOut(tensor), {});
  device->read(tensor, values.data());
  for (int64_t i = 0; i < kValues; ++i) {
    const double sum = double{values[static_cast<size_t>(i)]};
    if (sum != static_cast<double>(2 * i + 1)) {
      fail("the all-reduce between two devices gave {} at {}", sum, i);
    }
  }
}

}  // namespace bertha::doctor
