#include "train/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <type_traits>

#include "io/crc32c.h"

namespace bertha::train {

namespace {

template <typename T>
void append_little_endian(std::string& out, T value) {
  static_assert(std::is_unsigned_v<T>);
  for (size_t byte = 0; byte < sizeof(T); ++byte) {
    out.push_back(static_cast<char>(value >> (8 * byte) & 0xffU));
  }
}

// Wire types of Protocol Buffers.
constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kBytes = 2;
constexpr uint32_t kFixed32 = 5;

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
  out.push_back(static_cast<char>(value));
}

void append_key(std::string& out, uint32_t field, uint32_t wire_type) {
  append_varint(out, field << 3 | wire_type);
}

void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

// Field numbers of tensorflow/core/util/event.proto and framework/summary.proto.
constexpr uint32_t kEventWallTime = 1;
constexpr uint32_t kEventStep = 2;
constexpr uint32_t kEventFileVersion = 3;
constexpr uint32_t kEventSummary = 5;
constexpr uint32_t kSummaryValue = 1;
constexpr uint32_t kValueTag = 1;
constexpr uint32_t kValueSimple = 2;

double unix_seconds(WallTime time) {
  using std::chrono::microseconds;
  const auto since_1970 = std::chrono::duration_cast<microseconds>(time.time_since_epoch());
  return static_cast<double>(since_1970.count()) / 1e6;
}

std::string event_at(WallTime time) {
  std::string event;
  append_key(event, kEventWallTime, kFixed64);
  append_little_endian(event, std::bit_cast<uint64_t>(unix_seconds(time)));
  return event;
}

std::string summary_value(std::string_view tag, double value) {
  std::string message;
  append_bytes(message, kValueTag, tag);
  append_key(message, kValueSimple, kFixed32);
  append_little_endian(message, std::bit_cast<uint32_t>(static_cast<float>(value)));
  return message;
}

std::string record(std::string_view data) {
  std::string out;
  append_little_endian(out, uint64_t{data.size()});
  append_little_endian(out, io::masked_crc32c(io::crc32c(out)));
  out += data;
  append_little_endian(out, io::masked_crc32c(io::crc32c(data)));
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
    : clock_(std::move(clock)), file_(folder / file_name(clock_()), AppendFile::Start::kContinue) {
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
  append_key(event, kEventStep, kVarint);
  append_varint(event, static_cast<uint64_t>(step));
  append_bytes(event, kEventSummary, summary);
  file_.write(record(event));
}

}  // namespace bertha::train
