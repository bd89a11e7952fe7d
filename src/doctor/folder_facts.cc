#include "doctor/folder_facts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "io/atomic_file.h"

namespace bertha::doctor {
namespace {

namespace fs = std::filesystem;

/// Characters that mountinfo writes as \040 and the like.
std::string unescaped(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool holds(const std::string& mount, const std::string& path) {
  return mount == "/" || path == mount || path.starts_with(mount + "/");
}

/// The type of the file system that holds the path: "ext4". The deepest mount counts, and of equal
/// ones the last.
std::string file_system_of(const std::string& path) {
  std::ifstream file("/proc/self/mountinfo");
  std::string deepest;
  std::string type = "unknown";
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    const std::string mount = unescaped(word);
    if (mount.size() < deepest.size() || !holds(mount, path)) continue;
    while (words >> word && word != "-") continue;
    deepest = mount;
    words >> type;
  }
  return type;
}

bool is_network(std::string_view type) {
  for (const char* name :
       {"nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "beegfs", "gpfs", "ceph"}) {
    if (type == name) return true;
  }
  return type.starts_with("fuse.");
}

/// Removes what the trial leaves when a step of it fails.
struct TrialFile {
  std::string path;
  ~TrialFile() { ::unlink(path.c_str()); }
};

/// Writes a file twice as checkpoints are written (aside, flushed, renamed; the second time over
/// the first) and reads it back. Returns the seconds. Throws Error with the step that failed.
double try_writing(const std::string& folder) {
  const TrialFile trial{fmt::format("{}/.bertha-doctor-{}", folder, ::getpid())};
  const auto start = std::chrono::steady_clock::now();
  for (const std::string contents : {"first", "second"}) {
    io::write_file(trial.path, contents);
    std::ifstream file(trial.path);
    std::string read;
    if (!(file >> read) || read != contents) {
      fail("{}: a file that was written, flushed and renamed does not hold what was written",
           trial.path);
    }
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Fact fact_of_folder(const std::string& folder) {
  constexpr double kLittle = 1 << 30;
  Fact fact{.name = "folder"};
  std::error_code unknown;
  const std::string path = fs::canonical(folder, unknown).string();
  struct statvfs system = {};
  if (unknown || ::statvfs(path.c_str(), &system) != 0) {
    fact.state = State::kProblem;
    fact.text = fmt::format("{}: {}", folder, std::strerror(unknown ? unknown.value() : errno));
    return fact;
  }
  const double free = static_cast<double>(system.f_bavail) * static_cast<double>(system.f_frsize);
  const std::string type = file_system_of(path);
  fact.values = {{"path", path}, {"file_system", type}, {"free_bytes", free}};
  fact.text = fmt::format("{} ({}), {} free", path, type, format_bytes(free));
  if (free < kLittle) {
    fact.state = State::kNote;
    fact.text += "; a checkpoint of BERT-Base takes 1.3 GB";
  }
  try {
    const double seconds = try_writing(path);
    fact.values["write_seconds"] = seconds;
    fact.text += fmt::format("; writing, fsync and rename work ({:.0f} ms)", 1e3 * seconds / 2);
  } catch (const Error& error) {
    fact.state = State::kProblem;
    fact.text += fmt::format("; no checkpoint can be written here: {}", error.what());
  }
  if (is_network(type)) fact.text += "; on a network, so loaders may be slow";
  return fact;
}

}  // namespace bertha::doctor
