#include "doctor/build_info.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <spdlog/version.h>

#include "backend/cpu/onednn.h"
#include "doctor/build_commit.h"

namespace bertha::doctor {
namespace {

/// "9.1.0" of 90100, the form of fmt's and spdlog's version numbers.
std::string dotted(int number) {
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace

BuildInfo build_info() {
  return {.version = BERTHA_VERSION,
          .commit = BERTHA_COMMIT,
          .compiler = compiler(),
          .build_type = BERTHA_BUILD_TYPE,
          .libraries = {{"oneDNN", cpu::onednn_version()},
                        {"libcurl", curl_version_info(CURLVERSION_NOW)->version},
                        {"fmt", dotted(FMT_VERSION)},
                        {"spdlog", dotted(SPDLOG_VERSION)}}};
}

std::string version_text(const BuildInfo& info) {
  std::string text =
      fmt::format("bertha {}\ncommit: {}\ncompiler: {}, {}\nlibraries:", info.version, info.commit,
                  info.compiler, info.build_type);
  for (const LibraryVersion& library : info.libraries) {
    text += fmt::format("{} {} {}", &library == info.libraries.data() ? "" : ",", library.name,
                        library.version);
  }
  return text + "\n";
}

}  // namespace bertha::doctor
