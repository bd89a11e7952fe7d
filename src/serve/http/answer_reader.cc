#include "serve/http/answer_reader.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/strings.h"
#include "serve/http/http_message.h"

namespace bertha::serve {
namespace {

constexpr size_t kLongestHead = 64 << 10;
constexpr int64_t kLongestBody = int64_t{1} << 30;
constexpr int64_t kLongestRetryAfter = 86'400;  // seconds

int64_t number_of(std::string_view text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

/// Without the empty line at the end.
HttpHeaders fields_of(std::string_view head) {
  HttpHeaders fields;
  for (size_t begin = head.find("\r\n"); begin != std::string_view::npos;) {
    const size_t end = head.find("\r\n", begin + 2);
    const std::string_view line =
        head.substr(begin + 2, end == std::string_view::npos ? end : end - begin - 2);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      const size_t value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
      fields.add(std::string(line.substr(0, colon)), std::string(line.substr(value)));
    }
    begin = end;
  }
  return fields;
}

}  // namespace

std::optional<AnswerReader::Answer> AnswerReader::next() {
  const size_t end = bytes_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (bytes_.size() > kLongestHead) fail("the answer's header does not end");
    return std::nullopt;
  }
  const std::string_view head = std::string_view(bytes_).substr(0, end);
  if (!head.starts_with("HTTP/1.") || head.size() < 12) fail("this is no answer of HTTP/1.1");
  Answer answer;
  answer.status = static_cast<int>(number_of(head.substr(9, 3)));
  const HttpHeaders fields = fields_of(head);
  answer.retry_after_s =
      std::clamp(number_of(fields.get("Retry-After")), int64_t{0}, kLongestRetryAfter);
  answer.keep_alive = lower_ascii(fields.get("Connection")) != "close";
  int64_t length = 0;
  if (answer.status >= 200 && answer.status != 204 && answer.status != 304) {
    length = number_of(fields.get("Content-Length"));
    if (length < 0 || length > kLongestBody) fail("the answer has no usable Content-Length");
  }
  const size_t whole = end + 4 + static_cast<size_t>(length);
  if (bytes_.size() < whole) return std::nullopt;
  answer.body = bytes_.substr(end + 4, static_cast<size_t>(length));
  bytes_.erase(0, whole);
  if (answer.status < 200) return next();
  return answer;
}

}  // namespace bertha::serve
