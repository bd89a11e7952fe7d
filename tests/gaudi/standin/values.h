#pragma once

// Types and values of tensors, as the interpreter computes with them: each element a double,
// rounded to the tensor's type when a node has produced it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gaudi/standin/synapse_interface.h"

namespace bertha::standin {

/// Fastest dimension first.
using Sizes = std::vector<uint64_t>;

/// "bf16", as GUIDs end; empty for a type that the stand-in does not compute with.
std::string_view type_name(int32_t type);
/// The type that a name as "bf16" stands for; kNoType when there is none.
DataType type_of_name(std::string_view name);
uint64_t bytes_of_type(int32_t type);
bool is_float(int32_t type);

uint64_t count_of(const Sizes& sizes);
/// "[4,3,2]".
std::string to_text(const Sizes& sizes);

/// The nearest value of the type; ties go to even. Integers must be integers already.
double rounded_to(DataType type, double value);

struct Value {
  DataType type = kNoType;
  Sizes sizes;
  std::vector<double> data;
};

Value load(DataType type, const Sizes& sizes, const std::byte* from);
void store(const Value& value, std::byte* to);

}  // namespace bertha::standin
