#pragma once

// The client's side of HTTP: the status and the end of an answer in a stream of bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bertha::serve {

/// Reads answers that have a Content-Length, one after the other.
class AnswerReader {
 public:
  void append(std::string_view bytes) { bytes_.append(bytes); }

  struct Answer {
    int status = 0;
    bool keep_alive = true;
    int64_t retry_after_s = 0;  ///< of the field Retry-After, a day at most; 0 for a date
    std::string body{};
  };
  /// The next whole answer, without interim ones (1xx); nothing: more bytes are needed. Throws
  /// Error if this is no answer, or one without a length.
  std::optional<Answer> next();

 private:
  std::string bytes_;
};

}  // namespace bertha::serve
