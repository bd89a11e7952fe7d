// Input: bytes as a file that `bertha plan --measure` has written. Expected: an Error, or a timing
// that is the same after writing and reading it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "plan/step_timing.h"
#include "support/files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bertha;
  static const test::TemporaryFolder folder;
  static const std::string path = folder.file("timing.json");
  test::write_all(path, {reinterpret_cast<const char*>(data), size});
  try {
    const std::string written = plan::timing_json(plan::read_timing(path));
    test::write_all(path, written);
    if (plan::timing_json(plan::read_timing(path)) != written) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
