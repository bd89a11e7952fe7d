#include "core/error.h"

namespace bertha {

void fail_check(const char* expression, const char* file, int line, const std::string& message) {
  throw LogicError(fmt::format("{}:{}: check failed: {}{}{}", file, line, expression,
                               message.empty() ? "" : ": ", message));
}

}  // namespace bertha
