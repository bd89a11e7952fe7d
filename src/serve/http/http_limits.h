#pragma once

// What one client may cost, with the status that refuses more.

#include <chrono>
#include <cstdint>

namespace bertha::serve {

struct HttpLimits {
  int64_t header_bytes = 8192;          ///< request line and fields: 431
  int64_t header_fields = 64;           ///< 431
  int64_t target_bytes = 4096;          ///< path and query: 414
  int64_t body_bytes = 2'000'000;       ///< 413, from Content-Length before a byte is read
  int64_t chunks = 65536;               ///< of one chunked body: 400
  int64_t chunk_extension_bytes = 256;  ///< of one chunk: 400
  /// Bodies in memory, of requests that are read or in progress: 503 above.
  int64_t total_body_bytes = 64 << 20;
  int64_t connections = 1024;  ///< more wait in the kernel's queue
  /// Bytes behind the request in progress that are read ahead.
  int64_t read_ahead_bytes = 64 << 10;

  std::chrono::milliseconds handshake{10'000};  ///< TLS
  std::chrono::milliseconds header{10'000};     ///< first byte to end of header: 408
  std::chrono::milliseconds idle{75'000};       ///< between requests: closed
  /// A body, and an answer, may take this time and one second for each `bytes_per_second`: 408.
  std::chrono::milliseconds transfer{10'000};
  int64_t bytes_per_second = 16 << 10;
  std::chrono::milliseconds linger{1'000};  ///< reading on after a refusal, so that it arrives
};

}  // namespace bertha::serve
