// Input: bytes as the manifest of a stage of `prepare`, whose input and output are there. Expected:
// an Error, a stage that is done, or the reason why it is not.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "prepare/manifest.h"
#include "support/files.h"

namespace {

using namespace bertha;

prepare::StageWork work_in(const test::TemporaryFolder& folder) {
  test::write_all(folder.file("in.txt"), "input");
  test::write_all(folder.file("out.txt"), "output");
  return {.stage = "test",
          .root = folder.file(""),
          .manifest = folder.file("manifests/test.json"),
          .inputs = {folder.file("in.txt")},
          .options = {{"a", "1"}}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const test::TemporaryFolder folder;
  static const prepare::StageWork work = work_in(folder);
  test::write_all(work.manifest, {reinterpret_cast<const char*>(data), size});
  try {
    std::string why;
    if (prepare::is_done(work, why) != why.empty()) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
