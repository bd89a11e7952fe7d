#include "runlog/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "io/archive/crc32c.h"
#include "io/byte_order.h"
#include "io/weights/protobuf.h"

namespace bertha::runlog {

namespace {

using io::protobuf::append_bytes;
using io::protobuf::append_double;
using io::protobuf::append_float;
using io::protobuf::append_integer;

// Field numbers of tensorflow/core/util/event.proto and framework/summary.proto.
constexpr uint32_t kEventWallTime = 1;
constexpr uint32_t kEventStep = 2;
constexpr uint32_t kEventFileVersion = 3;
constexpr uint32_t kEventSummary = 5;
constexpr uint32_t kSummaryValue = 1;
constexpr uint32_t kValueTag = 1;
constexpr uint32_t kValueSimple = 2;

std::string event_at(WallTime time) {
  std::string event;
  append_double(event, kEventWallTime, microsecond_seconds(time.time_since_epoch()));
  return event;
}

std::string summary_value(std::string_view tag, double value) {
  std::string message;
  append_bytes(message, kValueTag, tag);
  append_float(message, kValueSimple, static_cast<float>(value));
  return message;
}

std::string record(std::string_view data) {
  std::string out;
  io::store(out, uint64_t{data.size()});
  io::store(out, io::masked_crc32c(io::crc32c(out)));
  out += data;
  io::store(out, io::masked_crc32c(io::crc32c(data)));
  return out;
}

std::string file_name(WallTime time) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  return fmt::format("events.out.tfevents.{:010}.{}.{}", seconds, host.data(), ::getpid());
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder, WallClock clock)
    : clock_(std::move(clock)), file_(folder / file_name(clock_())) {
  std::string event = event_at(clock_());
  append_bytes(event, kEventFileVersion, "brain.Event:2");
  file_.write(record(event));
}

void TensorBoardWriter::write(int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    append_bytes(summary, kSummaryValue, summary_value(tag, value));
  }
  std::string event = event_at(clock_());
  append_integer(event, kEventStep, step);
  append_bytes(event, kEventSummary, summary);
  file_.write(record(event));
}

}  // namespace bertha::runlog
