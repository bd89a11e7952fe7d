// Input: bytes as a dump (plain, gzip, bzip2, xz or zstd). Expected: pages, or a reason; an Error
// for an archive alone. The pages of plain XML must not depend on the chunks in which it arrives.
// Most inputs use one thread.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "corpus/dump_reader.h"
#include "io/archive/decoded_source.h"

namespace {

using namespace bertha;

class Pieces : public io::ByteSource {
 public:
  Pieces(std::string_view bytes, size_t piece_bytes) : rest_(bytes), piece_bytes_(piece_bytes) {}
  std::string_view next() override {
    const std::string_view piece = rest_.substr(0, piece_bytes_);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view rest_;
  size_t piece_bytes_;
};

std::string read_all(std::unique_ptr<io::ByteSource> source) {
  std::string text;
  corpus::DumpReader reader(std::move(source));
  while (const auto page = reader.next()) text += page->title + "\n" + page->text + "\n";
  // expat's messages about an error in a first line are not always the same.
  return text + (reader.damage().empty() ? "" : "damaged");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;  // an Error, which the tests cover
  std::unique_ptr<io::ByteSource> source;
  try {
    source = io::open_memory(bytes, "fuzz", 1);
  } catch (const Error&) {  // an archive of several files
    return 0;
  }
  const std::string text = read_all(std::move(source));
  const bool plain =
      !bytes.starts_with("BZh") && !bytes.starts_with("\x1f\x8b") && !io::is_xz_or_zstd(bytes);
  // A second thread is slow to start, so only every sixteenth size uses one.
  if (bytes.starts_with("BZh") && size % 16 == 0 &&
      read_all(io::open_memory(bytes, "fuzz", 2)) != text) {
    std::abort();
  }
  // With one byte at a time, expat reads everything; in larger pieces, texts bypass it.
  const size_t piece_bytes = size % 2 == 0 ? 1 : 1 + size % 61;
  if (plain && read_all(std::make_unique<Pieces>(bytes, piece_bytes)) != text) std::abort();
  return 0;
}
