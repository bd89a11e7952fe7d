// Any bytes as a dump (plain, gzip or bzip2): pages, or a reason, and the same for two threads.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "corpus/dump_reader.h"

namespace {

std::string read_all(std::string_view bytes, int64_t threads) {
  std::string text;
  bertha::corpus::DumpReader reader(bertha::corpus::open_memory(bytes, "fuzz", threads));
  while (const auto page = reader.next()) text += page->title + "\n" + page->text + "\n";
  return text + reader.damage();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const std::string text = read_all(bytes, 1);
    if (bytes.starts_with("BZh") && read_all(bytes, 2) != text) std::abort();
  } catch (const bertha::Error&) {
  }
  return 0;
}
