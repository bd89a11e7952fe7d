#include "gaudi/standin/values.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/dtype.h"
#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

struct TypeRow {
  DataType type;
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array kTypes = {
    TypeRow{kI8, "i8", 1},   TypeRow{kBf16, "bf16", 2}, TypeRow{kF32, "f32", 4},
    TypeRow{kI16, "i16", 2}, TypeRow{kI32, "i32", 4},   TypeRow{kU8, "u8", 1},
    TypeRow{kI64, "i64", 8},
};

const TypeRow* row_of(int32_t type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

/// bf16 converts to and from float alone.
template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

template <typename T>
T converted(double value) {
  return static_cast<T>(static_cast<Wide<T>>(value));
}

template <typename T>
void load_as(const std::byte* from, std::vector<double>& to) {
  for (size_t i = 0; i < to.size(); ++i) {
    T element;
    std::memcpy(&element, from + i * sizeof(T), sizeof(T));
    to[i] = static_cast<double>(static_cast<Wide<T>>(element));
  }
}

template <typename T>
void store_as(const std::vector<double>& from, std::byte* to) {
  for (size_t i = 0; i < from.size(); ++i) {
    const T element = converted<T>(from[i]);
    std::memcpy(to + i * sizeof(T), &element, sizeof(T));
  }
}

template <typename T>
double checked_integer(double value, std::string_view name) {
  require(value == std::trunc(value) &&
              value >= static_cast<double>(std::numeric_limits<T>::min()) &&
              value <= static_cast<double>(std::numeric_limits<T>::max()),
          kFail, rule::kOperands, "{} is no value of {}", value, name);
  return value;
}

}  // namespace

std::string_view type_name(int32_t type) {
  const TypeRow* const row = row_of(type);
  return row == nullptr ? std::string_view() : row->name;
}

DataType type_of_name(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return kNoType;
}

uint64_t bytes_of_type(int32_t type) {
  const TypeRow* const row = row_of(type);
  return row == nullptr ? 0 : row->bytes;
}

bool is_float(int32_t type) {
  return type == kF32 || type == kBf16;
}

uint64_t count_of(const Sizes& sizes) {
  uint64_t count = 1;
  for (const uint64_t size : sizes) count *= size;
  return count;
}

std::string to_text(const Sizes& sizes) {
  std::string text;
  for (const uint64_t size : sizes) text += (text.empty() ? "" : ",") + std::to_string(size);
  return "[" + text + "]";
}

double rounded_to(DataType type, double value) {
  switch (type) {
    case kF32:
      return static_cast<double>(static_cast<float>(value));
    case kBf16:
      return static_cast<double>(static_cast<float>(converted<BFloat16>(value)));
    case kI8:
      return checked_integer<int8_t>(value, "i8");
    case kU8:
      return checked_integer<uint8_t>(value, "u8");
    case kI16:
      return checked_integer<int16_t>(value, "i16");
    case kI32:
      return checked_integer<int32_t>(value, "i32");
    case kI64:
      return checked_integer<int64_t>(value, "i64");
    default:
      refuse(kUnsupported, rule::kOperands, "the type {} is not interpreted",
             static_cast<int32_t>(type));
  }
}

Value load(DataType type, const Sizes& sizes, const std::byte* from) {
  Value value{.type = type, .sizes = sizes, .data = std::vector<double>(count_of(sizes))};
  switch (type) {
    case kF32:
      load_as<float>(from, value.data);
      break;
    case kBf16:
      load_as<BFloat16>(from, value.data);
      break;
    case kI8:
      load_as<int8_t>(from, value.data);
      break;
    case kU8:
      load_as<uint8_t>(from, value.data);
      break;
    case kI16:
      load_as<int16_t>(from, value.data);
      break;
    case kI32:
      load_as<int32_t>(from, value.data);
      break;
    case kI64:
      load_as<int64_t>(from, value.data);
      break;
    default:
      break;
  }
  return value;
}

void store(const Value& value, std::byte* to) {
  switch (value.type) {
    case kF32:
      return store_as<float>(value.data, to);
    case kBf16:
      return store_as<BFloat16>(value.data, to);
    case kI8:
      return store_as<int8_t>(value.data, to);
    case kU8:
      return store_as<uint8_t>(value.data, to);
    case kI16:
      return store_as<int16_t>(value.data, to);
    case kI32:
      return store_as<int32_t>(value.data, to);
    case kI64:
      return store_as<int64_t>(value.data, to);
    default:
      return;
  }
}

}  // namespace bertha::standin
