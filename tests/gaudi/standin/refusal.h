#pragma once

// How the stand-in refuses: the exception that carries a status, the rule and a text, and its one
// line on standard error.

#include <fmt/format.h>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "gaudi/standin/synapse_interface.h"

namespace bertha::standin {

/// Rules of SynapseAI, by the names that messages give and README.md explains.
namespace rule {
constexpr std::string_view kCallOrder = "call-order";
constexpr std::string_view kHandle = "handle";
constexpr std::string_view kArgument = "argument";
constexpr std::string_view kOneDevice = "one-device";
constexpr std::string_view kDeviceType = "device-type";
constexpr std::string_view kThreads = "threads";
constexpr std::string_view kMemoryRange = "memory-range";
constexpr std::string_view kMemoryInUse = "memory-in-use";
constexpr std::string_view kPinnedHostMemory = "pinned-host-memory";
constexpr std::string_view kHostMemoryChanged = "host-memory-changed";
constexpr std::string_view kOrder = "order-between-streams";
constexpr std::string_view kNotWritten = "not-written";
constexpr std::string_view kEventRecord = "event-record";
constexpr std::string_view kTensorName = "tensor-name";
constexpr std::string_view kTensorIncomplete = "tensor-incomplete";
constexpr std::string_view kRank = "rank";
constexpr std::string_view kSection = "section";
constexpr std::string_view kAlignment = "alignment";
constexpr std::string_view kOneProducer = "one-producer";
constexpr std::string_view kNoProducer = "no-producer";
constexpr std::string_view kCycle = "cycle";
constexpr std::string_view kInPlaceOrder = "in-place-order";
constexpr std::string_view kGuid = "guid";
constexpr std::string_view kOperands = "operands";
constexpr std::string_view kParameters = "parameters";
constexpr std::string_view kPersistentTensors = "persistent-tensors";
constexpr std::string_view kLaunchSizes = "launch-sizes";
constexpr std::string_view kSectionBase = "section-base";
constexpr std::string_view kSectionsOverlap = "sections-overlap";
constexpr std::string_view kWorkspace = "workspace";
constexpr std::string_view kIndexRange = "index-range";
constexpr std::string_view kCollective = "collective";
/// Not rules: what may happen to a correct program.
constexpr std::string_view kConnection = "connection";
constexpr std::string_view kFault = "requested-fault";
constexpr std::string_view kMemoryLimit = "memory-limit";
constexpr std::string_view kSettings = "settings";
}  // namespace rule

class Refusal : public std::exception {
 public:
  Refusal(Status status, std::string_view broken, std::string text)
      : status_(status), rule_(broken), text_(std::move(text)) {}
  /// The same for a later call: report() has printed it already.
  Refusal again() const {
    Refusal copy = *this;
    copy.reported_ = true;
    return copy;
  }
  bool reported() const { return reported_; }
  Status status() const { return status_; }
  std::string_view rule() const { return rule_; }
  const std::string& text() const { return text_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Status status_;
  std::string_view rule_;
  std::string text_;
  bool reported_ = false;
};

template <typename... Args>
[[noreturn]] void refuse(Status status, std::string_view broken, fmt::format_string<Args...> text,
                         Args&&... args) {
  throw Refusal(status, broken, fmt::format(text, std::forward<Args>(args)...));
}

template <typename... Args>
void require(bool holds, Status status, std::string_view broken, fmt::format_string<Args...> text,
             Args&&... args) {
  if (!holds) refuse(status, broken, text, std::forward<Args>(args)...);
}

/// Prints "synapse stand-in: CALL: [RULE] TEXT" as one line and counts it. With
/// BERTHA_STANDIN_ABORT=1 a broken rule ends the process here.
void report(std::string_view call, const Refusal& refusal);

/// Runs the body of an export: 0, or the status of its refusal.
template <typename Body>
Status answer(std::string_view call, const Body& body) {
  try {
    body();
    return kSuccess;
  } catch (const Refusal& refusal) {
    report(call, refusal);
    return refusal.status();
  } catch (const std::exception& error) {
    report(call, Refusal(kFail, rule::kArgument, error.what()));
    return kFail;
  }
}

}  // namespace bertha::standin
