#include "text/sequence_template.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace bertha::text {
namespace {

TemplatePart special(int32_t id, int32_t segment) {
  return {TemplatePart::Kind::kSpecial, segment, {id}};
}

/// Two texts, of which the longer one is cut first.
RemainingTokens longest_first(int64_t room, int64_t first, int64_t second) {
  const bool swapped = first > second;
  int64_t shorter = std::min(first, second);
  int64_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  return swapped ? RemainingTokens{longer, shorter} : RemainingTokens{shorter, longer};
}

}  // namespace

SequenceTemplate SequenceTemplate::bert(int32_t cls, int32_t sep) {
  const TemplatePart first = {TemplatePart::Kind::kFirst, 0, {}};
  const TemplatePart second = {TemplatePart::Kind::kSecond, 1, {}};
  return {{special(cls, 0), first, special(sep, 0)},
          {special(cls, 0), first, special(sep, 0), second, special(sep, 1)}};
}

SequenceTemplate SequenceTemplate::bare() {
  const TemplatePart first = {TemplatePart::Kind::kFirst, 0, {}};
  const TemplatePart second = {TemplatePart::Kind::kSecond, 1, {}};
  return {{first}, {first, second}};
}

int64_t SequenceTemplate::special_tokens(bool with_pair) const {
  int64_t count = 0;
  for (const TemplatePart& part : with_pair ? pair : single) count += std::ssize(part.ids);
  return count;
}

RemainingTokens remaining_tokens(const Truncation& truncation, int64_t room, int64_t first,
                                 std::optional<int64_t> second) {
  using Strategy = Truncation::Strategy;
  room = std::max<int64_t>(room, 0);
  const int64_t surplus = first + second.value_or(0) - room;
  if (surplus <= 0) return {first, second.value_or(0)};
  if (room == 0) return {0, 0};
  if (truncation.strategy == Strategy::kLongestFirst) {
    return second ? longest_first(room, first, *second) : RemainingTokens{room, 0};
  }
  const bool of_first = truncation.strategy == Strategy::kOnlyFirst;
  if (!of_first && !second) {
    fail("truncation only_second: {} tokens of one text, expected at most {}", first, room);
  }
  const int64_t cut = of_first ? first : *second;
  if (cut <= surplus) {
    fail("truncation {}: {} tokens, expected more than the {} that are to be cut off",
         of_first ? "only_first" : "only_second", cut, surplus);
  }
  return of_first ? RemainingTokens{first - surplus, second.value_or(0)}
                  : RemainingTokens{first, *second - surplus};
}

}  // namespace bertha::text
