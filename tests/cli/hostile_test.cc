// Weight files made to harm, through `bertha inspect`: each is refused in one line that names it,
// within 64 MiB of memory beyond its own size. scripts/hostile_check.sh shows the rest: how long it
// takes, and that nothing is run, removed or connected to.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/commands.h"
#include "cli/hostile_files.h"
#include "core/error.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kLimitMemory = false;  // shadow memory is larger than any limit
#else
constexpr bool kLimitMemory = true;
#endif

/// BERTHA_HOSTILE_DIR names a folder where the files stay, for the script.
class HostileFolder {
 public:
  HostileFolder() {
    const char* named = std::getenv("BERTHA_HOSTILE_DIR");
    keep_ = named != nullptr;
    path_ = keep_ ? fs::path(named)
                  : fs::path(testing::TempDir()) / ("bertha_hostile_" + std::to_string(::getpid()));
    fs::create_directories(path_);
  }
  HostileFolder(const HostileFolder&) = delete;
  HostileFolder& operator=(const HostileFolder&) = delete;
  ~HostileFolder() {
    std::error_code ignored;
    if (!keep_) fs::remove_all(path_, ignored);
  }

  /// Writes a file's folder; returns what is to be opened and adds it to the script's list.
  std::string write(const test::HostileFile& hostile) const {
    const fs::path folder = path_ / hostile.name;
    fs::create_directories(folder);
    for (const auto& [name, contents] : hostile.files) {
      std::ofstream(folder / name, std::ios::binary) << contents;
    }
    const fs::path target = hostile.target.empty() ? folder : folder / hostile.target;
    if (keep_) std::ofstream(path_ / "targets", std::ios::app) << target.string() << "\n";
    return target.string();
  }
  void forget(const test::HostileFile& hostile) const {
    if (!keep_) fs::remove_all(path_ / hostile.name);
  }

 private:
  fs::path path_;
  bool keep_ = false;
};

void limit_memory(rlim_t more) {
  if (!kLimitMemory) return;
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t most = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{most, most};
  ::setrlimit(RLIMIT_AS, &limit);
}

/// What `bertha inspect` says of `target` in a process of its own, with so much more memory.
std::string refusal(const std::string& target, rlim_t more) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    limit_memory(more);
    std::string said;
    try {
      run_inspect(std::vector<std::string>{target});
      said = "taken";
    } catch (const Error& error) {
      said = error.what();
    } catch (const std::exception& error) {
      said = std::string("not an Error: ") + error.what();
    }
    if (::write(pipe[1], said.data(), said.size()) < 0) ::_exit(2);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    said.append(buffer.data(), static_cast<size_t>(size));
  }
  ::close(pipe[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : "killed";
}

TEST(HostileFiles, AreRefusedWithAReasonInLittleMemory) {
  constexpr rlim_t kMoreBytes = 64 << 20;
  const HostileFolder folder;
  const std::vector<test::HostileFile> all = test::hostile_files();
  EXPECT_GE(all.size(), 300U);
  for (const test::HostileFile& hostile : all) {
    rlim_t size = 0;
    for (const auto& [name, contents] : hostile.files) size += contents.size();
    const std::string target = folder.write(hostile);
    const std::string said = refusal(target, size + kMoreBytes);
    // The file or one beside it is named first, then the reason.
    const std::string prefix =
        hostile.target.empty() ? target : target.substr(0, target.rfind('.'));
    EXPECT_TRUE(said.starts_with(prefix)) << hostile.name << ": " << said;
    EXPECT_GT(said.size(), prefix.size() + 10) << said;
    EXPECT_EQ(said.find('\n'), said.npos) << said;
    folder.forget(hostile);
  }
  EXPECT_FALSE(fs::exists("/tmp/owned"));
}

}  // namespace
}  // namespace bertha::cli
