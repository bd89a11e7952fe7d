#pragma once

// What this program was built from and with: the same for two builds of the same sources.

#include <string>
#include <vector>

namespace bertha::doctor {

struct LibraryVersion {
  std::string name;
  std::string version;
};

struct BuildInfo {
  std::string version;   ///< of Bertha: "0.1.0"
  std::string commit;    ///< "1a2b3c4d5e6f", with "-dirty" for sources that differ from it
  std::string compiler;  ///< "gcc 12.2.0"
  std::string build_type;
  std::vector<LibraryVersion> libraries;
};

/// Versions of libraries are those that are loaded, where the library can say so.
BuildInfo build_info();

/// The text of `bertha --version`.
std::string version_text(const BuildInfo& info);

}  // namespace bertha::doctor
