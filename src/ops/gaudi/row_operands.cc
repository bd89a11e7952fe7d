#include "ops/gaudi/row_operands.h"

#include <cstring>

#include "backend/gaudi/allocation.h"

namespace bertha::ops {
namespace {

/// What is added to the scores of keys of other sequences; exp() of it is 0 in every type.
constexpr float kMasked = -10000;

/// Calls visit(slot) for every slot that holds a token.
template <typename Visit>
void for_each_slot(const TokenRows& rows, std::span<const int32_t> seq_start, const Visit& visit) {
  for (size_t i = 0; i < rows.first_slot.size(); ++i) {
    const int64_t begin = rows.first_slot[i];
    for (int64_t at = 0; at < seq_start[i + 1] - seq_start[i]; ++at) visit(begin + at);
  }
}

std::vector<BFloat16> mask_of(const TokenRows& rows, std::span<const int32_t> seq_start) {
  const int64_t length = rows.shape.length;
  std::vector<BFloat16> mask(static_cast<size_t>(rows.shape.slots() * length), BFloat16(kMasked));
  for (size_t i = 0; i < rows.first_slot.size(); ++i) {
    const int64_t begin = rows.first_slot[i];
    const int64_t count = seq_start[i + 1] - seq_start[i];
    for (int64_t query = begin; query < begin + count; ++query) {
      std::fill_n(mask.begin() + query * length + begin % length, count, BFloat16(0));
    }
  }
  return mask;
}

}  // namespace

std::vector<int32_t> integers_of(gaudi::HostBytes bytes) {
  std::vector<int32_t> integers(bytes.size() / sizeof(int32_t));
  std::memcpy(integers.data(), bytes.data(), bytes.size());
  return integers;
}

std::string sequences_name(const Tensor& seq_start, int64_t tokens) {
  return fmt::format("{} {} {} {}", static_cast<const void*>(&gaudi::allocation_of(seq_start)),
                     seq_start.offset_bytes(), seq_start.size(), tokens);
}

RowOperands::RowOperands(const NodeBuilder& nodes, const Tensor& seq_start, int64_t tokens)
    : nodes_(nodes),
      seq_start_(seq_start),
      tokens_(tokens),
      name_(sequences_name(seq_start, tokens)) {
  const auto sizes_of = [](gaudi::HostBytes sources) {
    const TokenRows rows = pack_rows(integers_of(sources));
    return Sizes{rows.shape.rows, rows.shape.length};
  };
  const Sizes sizes = nodes.recorder().host_shape(name_, std::span(&seq_start_, 1), sizes_of);
  shape_ = {.rows = sizes[0], .length = sizes[1]};
}

Value RowOperands::to_slots(const Value& x) const {
  const auto fill = [](gaudi::HostBytes sources, std::span<std::byte> operand) {
    const std::vector<int32_t> start = integers_of(sources);
    fill_with(tokens_of_slots(pack_rows(start), start), operand);
  };
  const Value tokens = nodes_.recorder().host_input("tokens of slots " + name_,
                                                    {ElementType::kI32, {shape_.slots()}},
                                                    std::span(&seq_start_, 1), fill);
  return nodes_.gather(x, tokens);
}

Value RowOperands::to_slots_or_zero(const Value& x) const {
  const auto fill = [](gaudi::HostBytes sources, std::span<std::byte> operand) {
    const std::vector<int32_t> start = integers_of(sources);
    const TokenRows rows = pack_rows(start);
    std::vector<float> filled(static_cast<size_t>(rows.shape.slots()), 0);
    for_each_slot(rows, start, [&](int64_t slot) { filled[static_cast<size_t>(slot)] = 1; });
    fill_with(filled, operand);
  };
  const Value filled = nodes_.recorder().host_input("filled slots " + name_,
                                                    {ElementType::kF32, {1, shape_.slots()}},
                                                    std::span(&seq_start_, 1), fill);
  return nodes_.mult(to_slots(x), nodes_.cast(filled, x.type));
}

Value RowOperands::to_tokens(const Value& x) const {
  const auto fill = [tokens = tokens_](gaudi::HostBytes sources, std::span<std::byte> operand) {
    const std::vector<int32_t> start = integers_of(sources);
    fill_with(slots_of_tokens(pack_rows(start), start, tokens), operand);
  };
  const Value slots = nodes_.recorder().host_input(
      "slots of tokens " + name_, {ElementType::kI32, {tokens_}}, std::span(&seq_start_, 1), fill);
  const auto fill_kept = [tokens = tokens_](gaudi::HostBytes sources,
                                            std::span<std::byte> operand) {
    const std::vector<int32_t> start = integers_of(sources);
    std::vector<float> kept(static_cast<size_t>(tokens), 0);
    std::fill(kept.begin() + start.front(), kept.begin() + start.back(), 1.0F);
    fill_with(kept, operand);
  };
  const Value kept = nodes_.recorder().host_input("tokens of sequences " + name_,
                                                  {ElementType::kF32, {1, tokens_}},
                                                  std::span(&seq_start_, 1), fill_kept);
  return nodes_.mult(nodes_.gather(x, slots), nodes_.cast(kept, x.type));
}

Value RowOperands::score_mask() const {
  const auto fill = [](gaudi::HostBytes sources, std::span<std::byte> operand) {
    const std::vector<int32_t> start = integers_of(sources);
    fill_with(mask_of(pack_rows(start), start), operand);
  };
  const Value mask = nodes_.recorder().host_input(
      "score mask " + name_, {ElementType::kBF16, {shape_.length, shape_.length, 1, shape_.rows}},
      std::span(&seq_start_, 1), fill);
  return nodes_.f32(mask);
}

}  // namespace bertha::ops
