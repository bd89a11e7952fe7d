#pragma once

// What the HTTP library lets through and this server refuses: everything on which two programs in
// a chain may disagree where a request ends (RFC 9112, sections 2.2, 3, 5, 6 and 11.2).

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/http_limits.h"
#include "serve/http/request_reader.h"

namespace bertha::serve {

/// Checks the bytes of a head, from the request line to the empty line, before they are parsed:
/// lines end with CRLF, no NUL or other control character, no folded field, no space before a
/// colon, a token as the name, and the limits of the target and the number of fields.
std::optional<Refusal> refuse_head_text(std::string_view head, const HttpLimits& limits);

/// Checks the parsed fields, and fills what they say in `head`: path, query, content_length,
/// chunked, keep_alive, expects_continue. `target` is the second word of the request line.
std::optional<Refusal> refuse_head(std::string_view target, const HttpLimits& limits,
                                   RequestHead& head);

/// name=value pairs between '&', decoded; '+' is a space. Empty if an escape is malformed.
std::optional<std::map<std::string, std::string>> parse_query(std::string_view query);

/// The client's X-Request-Id if it is 1 to 128 visible ASCII characters, else 32 random hexadecimal
/// digits.
std::string request_id_of(const HttpHeaders& headers);

}  // namespace bertha::serve
