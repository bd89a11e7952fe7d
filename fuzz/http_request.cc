// The policy of requests and the parser behind it: any bytes, in pieces of any size, give the same
// requests. A refusal ends both; where a line is not whole yet, one of the two may wait for its end
// before it is refused.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "serve/http/request_policy.h"
#include "serve/http/request_reader.h"

namespace {

using namespace bertha::serve;

/// The requests that the bytes hold, as text; they must not depend on `piece`.
std::string read_all(std::string_view bytes, size_t piece) {
  HttpLimits limits;
  limits.body_bytes = 512;
  limits.chunks = 16;
  RequestReader reader(limits);
  std::string seen;
  while (!bytes.empty()) {
    const size_t size = std::min(piece, bytes.size());
    reader.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    RequestReader::Event event = reader.advance();
    while (event != RequestReader::Event::kNeedMore) {
      if (event == RequestReader::Event::kRefused) return seen;
      if (event == RequestReader::Event::kRequest) {
        const std::string body = reader.take_body();
        if (body.size() > 512) std::abort();
        if (!parse_query(reader.head().query)) std::abort();
        seen += reader.head().method + " " + reader.head().path + " " + body + "\n";
        reader.next();
      }
      event = reader.advance();
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = size_t{data[0]} % 16 + 1;
  if (read_all(bytes, bytes.size()) != read_all(bytes, piece)) std::abort();
  return 0;
}
