#include "serve/request_checks.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace bertha::serve {
namespace {

constexpr size_t kMostMessage = 300;  // bytes; a message may quote a text of the client

/// The message, cut where it is long, between two characters.
std::string shortened(std::string message) {
  if (message.size() <= kMostMessage) return message;
  size_t end = kMostMessage;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
  message.resize(end);
  return message + "…";
}

}  // namespace

void refuse(ErrorKind kind, std::string field, std::string message) {
  throw RequestError(
      {.kind = kind, .message = shortened(std::move(message)), .field = std::move(field)});
}

void check_range(std::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  refuse(ErrorKind::kInvalid, std::string(field),
         fmt::format("{}: expected {} to {}, found {}", field, least, most, value));
}

void check_count(std::string_view field, size_t count, const ServiceLimits& limits) {
  if (count == 0) {
    refuse(ErrorKind::kEmpty, std::string(field), fmt::format("{} is empty", field));
  }
  if (std::cmp_less_equal(count, limits.max_texts)) return;
  refuse(ErrorKind::kTooLarge, std::string(field),
         fmt::format("{}: {} texts; a request may have {}", field, count, limits.max_texts));
}

void check_truncation(const Truncation& truncation, const ServedModel& model) {
  constexpr int64_t kShortest = 4;  // three special tokens and one of a text
  if (truncation.max_tokens == 0) return;
  check_range("max_tokens", truncation.max_tokens, kShortest, model.config().max_tokens());
}

void refuse_length(std::string_view field, size_t index, int64_t tokens, int64_t most) {
  refuse(ErrorKind::kTooLong, std::string(field),
         fmt::format("{}: text {} has {} tokens; the model takes {}", field, index, tokens, most));
}

void check_finite(double value) {
  if (std::isfinite(value)) return;
  refuse(ErrorKind::kInternal, "", "the model's result is not a number");
}

}  // namespace bertha::serve
