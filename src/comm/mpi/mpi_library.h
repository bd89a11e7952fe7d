#pragma once

// Finds and loads the plugin (mpi_plugin.h) of the MPI library whose launcher started this process.
// The program itself is linked to no MPI, so that it also starts where there is none. Plugins are
// linked to none either: the library that the dynamic linker finds first is used, such as that of a
// cluster's module.

#include <string>

#include "comm/launch.h"
#include "comm/mpi/mpi_plugin.h"

namespace bertha::comm {

/// Where the functions of MPI come from, or why there are none.
struct MpiLibrary {
  const BerthaMpi* functions = nullptr;
  std::string plugin;   ///< path of the plugin
  std::string version;  ///< as the MPI library describes itself
  std::string problem;  ///< empty when `functions` is set
};

/// Loads the first plugin that can be used, in the order of mpi_plugins_for(). BERTHA_MPI names
/// another: "openmpi", "mpich" or the path of a plugin.
MpiLibrary load_mpi(Environment environment = from_environment);

/// The functions of the library of this process, loaded at the first call. Throws Error when there
/// is none.
const BerthaMpi& mpi();

}  // namespace bertha::comm
