#include "serve/http/request_policy.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.h"
#include "core/strings.h"

namespace bertha::serve {
namespace {

using MaybeRefusal = std::optional<Refusal>;

bool is_token_byte(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kOthers.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_byte);
}

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

/// Control characters other than the tabulator. Bytes above 0x7f are allowed in values.
bool is_control(char c) {
  return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

MaybeRefusal refuse_request_line(std::string_view line, const HttpLimits& limits) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Refusal{400, "the request line must be: method, space, target, space, HTTP/1.1"};
  }
  if (!is_token(line.substr(0, first))) return Refusal{400, "the method is no token"};
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (std::ssize(target) > limits.target_bytes) {
    return Refusal{414, fmt::format("the target is longer than {} bytes", limits.target_bytes)};
  }
  if (!std::ranges::all_of(target, is_visible) || target.find('#') != std::string_view::npos) {
    return Refusal{400, "the target must be visible ASCII characters without '#'"};
  }
  const std::string_view version = line.substr(last + 1);
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
  if (version.starts_with("HTTP/")) return Refusal{505, "the version must be HTTP/1.1 or HTTP/1.0"};
  return Refusal{400, "the request line must end with HTTP/1.1"};
}

MaybeRefusal refuse_field_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return Refusal{400, "a header field is folded"};
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Refusal{400, "a header field has no colon"};
  if (!is_token(line.substr(0, colon))) {
    return Refusal{400, "the name of a header field must be a token with the colon behind it"};
  }
  return std::nullopt;
}

/// Digits alone, so that no two readers differ: no sign, no list, no hexadecimal number.
std::optional<int64_t> length_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || !digits || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

MaybeRefusal refuse_transfer_encoding(RequestHead& head) {
  const size_t count = head.headers.count("Transfer-Encoding");
  if (count == 0) return std::nullopt;
  if (head.headers.count("Content-Length") > 0) {
    return Refusal{400, "Transfer-Encoding and Content-Length must not stand in one request"};
  }
  if (head.minor_version == 0) return Refusal{400, "HTTP/1.0 has no Transfer-Encoding"};
  if (count > 1) return Refusal{400, "there is more than one Transfer-Encoding"};
  const std::string coding = lower_ascii(head.headers.get("Transfer-Encoding"));
  if (coding != "chunked") {
    const bool other = coding.ends_with("chunked") && coding.find(',') != std::string::npos;
    return Refusal{other ? 501 : 400, "the only Transfer-Encoding is \"chunked\""};
  }
  head.chunked = true;
  return std::nullopt;
}

MaybeRefusal refuse_length(const HttpLimits& limits, RequestHead& head) {
  if (MaybeRefusal refusal = refuse_transfer_encoding(head)) return refusal;
  const size_t count = head.headers.count("Content-Length");
  if (count > 1) return Refusal{400, "there is more than one Content-Length"};
  if (count == 1) {
    head.content_length = length_of(head.headers.get("Content-Length"));
    if (!head.content_length) return Refusal{400, "Content-Length must be a number of digits"};
    if (*head.content_length > limits.body_bytes) {
      return Refusal{413, fmt::format("the body has {} bytes; the limit is {}",
                                      *head.content_length, limits.body_bytes)};
    }
  }
  const bool carries = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
  if (carries && count == 0 && !head.chunked) {
    return Refusal{411, fmt::format("{} needs a Content-Length", head.method)};
  }
  return std::nullopt;
}

MaybeRefusal refuse_host(const RequestHead& head) {
  const size_t count = head.headers.count("Host");
  if (count > 1) return Refusal{400, "there is more than one Host"};
  if (count == 0 && head.minor_version == 1) return Refusal{400, "the header has no Host"};
  const std::string_view host = head.headers.get("Host");
  constexpr std::string_view kForbidden = " \t,/\\@?#";
  if (host.find_first_of(kForbidden) != std::string_view::npos) {
    return Refusal{400, "Host must be a name or an address with an optional port"};
  }
  return std::nullopt;
}

/// The origin form of a target: an absolute form (of a proxy's client) loses scheme and authority.
std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (lower_ascii(target.substr(0, scheme.size())) != scheme) continue;
    const size_t slash = target.find_first_of("/?", scheme.size());
    return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  return target;
}

MaybeRefusal split_target(std::string_view target, RequestHead& head) {
  if (target == "*" && head.method == "OPTIONS") {
    head.path = "*";
    return std::nullopt;
  }
  const std::string_view form = origin_form(target);
  const size_t question = form.find('?');
  head.path = form.substr(0, question);
  head.query = question == std::string_view::npos ? "" : form.substr(question + 1);
  if (head.path.empty() && form.size() != target.size()) head.path = "/";
  if (!head.path.starts_with('/')) return Refusal{400, "the target must begin with '/'"};
  if (!parse_query(head.query)) return Refusal{400, "the query has a malformed % escape"};
  return std::nullopt;
}

/// Whether a field that is a list has this word.
bool lists(const HttpHeaders& headers, std::string_view name, std::string_view word) {
  return std::ranges::any_of(headers, [&](const HttpHeaders::Field& field) {
    if (!same_field_name(field.first, name)) return false;
    std::string_view rest = field.second;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (lower_ascii(trimmed(rest.substr(0, comma))) == word) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return false;
  });
}

MaybeRefusal refuse_options(RequestHead& head) {
  const bool close = lists(head.headers, "Connection", "close");
  head.keep_alive =
      head.minor_version == 1 ? !close : !close && lists(head.headers, "Connection", "keep-alive");
  if (const std::string* expect = head.headers.find("Expect")) {
    if (lower_ascii(*expect) != "100-continue") {
      return Refusal{417, "the only Expect is \"100-continue\""};
    }
    head.expects_continue = head.minor_version == 1;
  }
  const std::string coding = lower_ascii(head.headers.get("Content-Encoding"));
  if (!coding.empty() && coding != "identity") {
    return Refusal{415, "a compressed body is not supported: send it without Content-Encoding"};
  }
  return std::nullopt;
}

}  // namespace

MaybeRefusal refuse_head_text(std::string_view head, const HttpLimits& limits) {
  int64_t fields = 0;
  bool first = true;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return Refusal{400, "a line of the header has no CRLF"};
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (std::ranges::any_of(line, is_control)) {
      return Refusal{400, "the header has a control character, or a line that ends without CRLF"};
    }
    if (line.empty() && !first) break;
    if (!first && ++fields > limits.header_fields) {
      return Refusal{431,
                     fmt::format("there are more than {} header fields", limits.header_fields)};
    }
    if (MaybeRefusal refusal =
            first ? refuse_request_line(line, limits) : refuse_field_line(line)) {
      return refusal;
    }
    first = false;
  }
  return std::nullopt;
}

MaybeRefusal refuse_head(std::string_view target, const HttpLimits& limits, RequestHead& head) {
  if (MaybeRefusal refusal = split_target(target, head)) return refusal;
  if (MaybeRefusal refusal = refuse_host(head)) return refusal;
  if (MaybeRefusal refusal = refuse_length(limits, head)) return refusal;
  return refuse_options(head);
}

std::optional<std::map<std::string, std::string>> parse_query(std::string_view query) {
  std::map<std::string, std::string> parsed;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string pair(query.substr(0, end));
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    std::ranges::replace(pair, '+', ' ');
    const size_t equals = std::min(pair.find('='), pair.size());
    std::string name;
    std::string value;
    if (!percent_decode(std::string_view(pair).substr(0, equals), name)) return std::nullopt;
    if (equals < pair.size() && !percent_decode(std::string_view(pair).substr(equals + 1), value)) {
      return std::nullopt;
    }
    parsed[name] = value;
  }
  return parsed;
}

std::string request_id_of(const HttpHeaders& headers) {
  const std::string_view given = headers.get("X-Request-Id");
  if (!given.empty() && given.size() <= 128 && std::ranges::all_of(given, is_visible)) {
    return std::string(given);
  }
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) fail("no random bytes");
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

}  // namespace bertha::serve
