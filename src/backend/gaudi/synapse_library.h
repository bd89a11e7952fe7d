#pragma once

// libSynapse.so, loaded at run time: it is found, its functions are looked up by name, its layout
// of structs is tried out, and it is initialised. No header and no library of the vendor is needed
// to build this program.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/gaudi/synapse_abi.h"

namespace bertha::gaudi {

class SynapseLibrary {
 public:
  /// Loads the library at `path` (a name without a slash is searched for as the dynamic linker
  /// does), checks its functions and its layout, and initialises it. Throws Error that says in one
  /// line what is missing or differs.
  explicit SynapseLibrary(const std::string& path);
  ~SynapseLibrary();
  SynapseLibrary(const SynapseLibrary&) = delete;
  SynapseLibrary& operator=(const SynapseLibrary&) = delete;

  const abi::Functions& call() const { return functions_; }
  const abi::Functions* operator->() const { return &functions_; }
  /// The library's version as it reports it.
  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }
  /// A function beside those above; null where the library has none of this name.
  void* symbol(const char* name) const;

  /// The modules that this process may use, in the order in which ranks take them: those of
  /// HABANA_VISIBLE_MODULES where it is set, else all that the library reports.
  std::vector<abi::ModuleId> modules() const;
  /// "synLaunch failed: <what the library says> (status 26)".
  std::string describe(abi::Status status, const char* function) const;
  /// Throws Error with describe() unless the status is success.
  void check(abi::Status status, const char* function) const;

 private:
  void find_functions();
  void probe_layout() const;

  struct Closer {
    void operator()(void* handle) const;
  };
  std::string path_;
  std::unique_ptr<void, Closer> handle_;
  abi::Functions functions_;
  bool initialised_here_ = false;  ///< and not by another object: it is this one that ends it
  std::string version_;
};

/// Why the layout of a geometry differs from abi::TensorGeometry; empty when it does not. `bytes`
/// is what synTensorGetGeometry left of a buffer filled with `canary` for a tensor of these sizes.
std::string layout_difference(std::span<const std::byte> bytes, std::byte canary,
                              std::span<const uint64_t> sizes);

/// The library of this process: that of the environment's BERTHA_LIBSYNAPSE, else libSynapse.so.
/// Loaded at the first call, which decides for good. Null with the reason in `why` when it cannot
/// be used.
SynapseLibrary* process_library(std::string* why);

}  // namespace bertha::gaudi

/// Calls a function of the library and checks its status: BERTHA_SYNAPSE(library, synLaunch, …).
#define BERTHA_SYNAPSE(library, function, ...) \
  (library).check((library)->function(__VA_ARGS__), #function)
