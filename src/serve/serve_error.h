#pragma once

// Why a request to the server has no result. Routes turn a kind into the status and the body of
// their dialect.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>

namespace bertha::serve {

enum class ErrorKind : uint8_t {
  kInvalid,       ///< a value is out of range or does not fit the model; `field` names it
  kEmpty,         ///< an input is empty
  kTooLong,       ///< a text has more tokens than the model takes and must not be cut
  kTooLarge,      ///< the request has more texts or windows than the server takes
  kUnknownModel,  ///< no model of this name
  kWrongTask,     ///< no model, or not this one, has the head that the task needs
  kOverloaded,    ///< the queue is longer than the limit; `retry_after` says when to come again
  kDeadline,      ///< the deadline passed before the request was computed
  kLoading,       ///< the models are not loaded yet
  kDraining,      ///< the server ends
  kCancelled,     ///< the client went away; nobody reads the answer
  kInternal       ///< a defect or a fault of the device
};

struct ServeError {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message{};  ///< one line for the client: the field, the limit, what was given
  std::string field{};    ///< the field of the request, or empty
  std::chrono::milliseconds retry_after{0};  ///< 0: none
};

/// A value, or why there is none.
template <typename T>
class Result {
 public:
  Result(T value) : content_(std::move(value)) {}           // NOLINT(google-explicit-constructor)
  Result(ServeError error) : content_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(content_); }
  T& value() { return std::get<T>(content_); }
  const T& value() const { return std::get<T>(content_); }
  const ServeError& error() const { return std::get<ServeError>(content_); }

 private:
  std::variant<T, ServeError> content_;
};

/// Receives the result exactly once, on any thread; it must not throw and must not block.
template <typename T>
using Callback = std::function<void(Result<T>)>;

}  // namespace bertha::serve
