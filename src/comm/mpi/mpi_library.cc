#include "comm/mpi/mpi_library.h"

#include <dlfcn.h>

#include <array>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "core/strings.h"

namespace bertha::comm {
namespace {

namespace fs = std::filesystem;

/// Names of the shared library for which a plugin was compiled, by plugin. Libraries that keep to
/// the binary interface of MPICH have the second name.
std::vector<std::string> sonames_of(const std::string& plugin) {
  if (plugin == "openmpi") return {"libmpi.so.40"};
  if (plugin == "mpich") return {"libmpich.so.12", "libmpi.so.12"};
  return {};
}

/// Where plugins are: beside the program in a build folder, in ../lib/bertha when installed.
std::string find_plugin(const std::string& name) {
  std::error_code unknown;
  const fs::path folder = fs::read_symlink("/proc/self/exe", unknown).parent_path();
  for (const fs::path& place : {folder, folder.parent_path() / "lib" / "bertha"}) {
    const fs::path file = place / ("bertha_mpi_" + name + ".so");
    if (fs::exists(file, unknown)) return file.string();
  }
  return {};
}

/// Folders of the libraries that belong to the mpirun on the PATH. They need not be among those of
/// the dynamic linker.
std::vector<fs::path> launcher_folders(Environment environment) {
  std::istringstream path(environment("PATH"));
  for (std::string folder; std::getline(path, folder, ':');) {
    std::error_code unknown;
    if (folder.empty() || !fs::exists(fs::path(folder) / "mpirun", unknown)) continue;
    const fs::path prefix = fs::path(folder).parent_path();
    return {prefix / "lib", prefix / "lib64"};
  }
  return {};
}

/// MPI libraries load parts of their own, which look for the library's symbols in the global scope.
void* open_global(const std::string& file) {
  return dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
}

/// Loads the first of the libraries. Returns null and the reason when none can be loaded.
void* open_library(const std::vector<std::string>& sonames, Environment environment,
                   std::string& problem) {
  for (const std::string& soname : sonames) {
    if (void* library = open_global(soname)) return library;
    if (problem.empty()) problem = dlerror();
    for (const fs::path& folder : launcher_folders(environment)) {
      if (void* library = open_global((folder / soname).string())) return library;
    }
  }
  return nullptr;
}

/// A plugin that was compiled with mpicc names its library itself. For others the library is loaded
/// first.
void* open_plugin(const std::string& name, const std::string& file, Environment environment,
                  std::string& problem) {
  if (void* plugin = open_global(file)) return plugin;
  const std::string reason = dlerror();
  void* library = open_library(sonames_of(name), environment, problem);
  if (library == nullptr) {
    if (problem.empty()) problem = reason;
    return nullptr;
  }
  void* plugin = open_global(file);
  if (plugin == nullptr) {
    problem = dlerror();
    dlclose(library);
  }
  return plugin;
}

MpiLibrary load_plugin(const std::string& name, Environment environment) {
  MpiLibrary found;
  const bool is_path = name.find('/') != std::string::npos;
  found.plugin = is_path ? name : find_plugin(name);
  if (found.plugin.empty()) {
    found.problem = fmt::format("bertha_mpi_{}.so is not installed beside this program", name);
    return found;
  }
  void* plugin = open_plugin(name, found.plugin, environment, found.problem);
  if (plugin == nullptr) return found;
  const auto functions =
      reinterpret_cast<decltype(&bertha_mpi)>(dlsym(plugin, "bertha_mpi"));  // NOLINT
  if (functions == nullptr || functions()->interface_version != BERTHA_MPI_INTERFACE) {
    found.problem = fmt::format("{} is not a plugin for this version of Bertha", found.plugin);
    return found;
  }
  found.functions = functions();
  std::array<char, BERTHA_MPI_TEXT_BYTES> version{};
  found.functions->library_version(version.data());
  found.version = version.data();
  return found;
}

}  // namespace

MpiLibrary load_mpi(Environment environment) {
  std::vector<std::string> problems;
  MpiLibrary found;
  for (const std::string& name : mpi_plugins_for(environment)) {
    found = load_plugin(name, environment);
    if (found.functions != nullptr) return found;
    problems.push_back(found.problem);
  }
  found.problem = join(problems, "; ");
  return found;
}

const BerthaMpi& mpi() {
  static const MpiLibrary library = load_mpi();
  if (library.functions == nullptr) {
    fail(
        "this process was started with other ranks ({}), but MPI cannot be used: {}. Add the "
        "folder of the MPI library to LD_LIBRARY_PATH, or set BERTHA_MPI (docs/guide/install.md)",
        find_launch().launcher, library.problem);
  }
  return *library.functions;
}

}  // namespace bertha::comm
