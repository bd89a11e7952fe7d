#pragma once

// What all tasks check of a request before they tokenize it.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"
#include "serve/prepared_request.h"

namespace bertha::serve {

/// Throws RequestError.
[[noreturn]] void refuse(ErrorKind kind, std::string field, std::string message);
/// Throws RequestError unless least <= value <= most.
void check_range(std::string_view field, int64_t value, int64_t least, int64_t most);
/// Throws RequestError for no text, and for more than the server takes.
void check_count(std::string_view field, size_t count, const ServiceLimits& limits);
/// Throws RequestError for a maximum that the model does not take.
void check_truncation(const Truncation& truncation, const ServedModel& model);
/// Throws RequestError because text `index`, counted from 0, is too long.
[[noreturn]] void refuse_length(std::string_view field, size_t index, int64_t tokens, int64_t most);
/// Throws RequestError for a value that is NaN or infinite: the weights are damaged, or the device.
void check_finite(double value);

/// Runs `make`; an Error of the tokenizer or the job becomes a RequestError.
template <typename Make>
auto checked(std::string_view field, const Make& make) {
  try {
    return make();
  } catch (const Error& error) {
    refuse(ErrorKind::kInvalid, std::string(field), error.what());
  }
}

}  // namespace bertha::serve
