#include "corpus/page_register.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace bertha::corpus {

bool PageRegister::add(std::string_view url, const Page& page) {
  if (page.id == 0) return true;
  const std::string name = fmt::format("{}\n{}", url, page.title);
  const auto fingerprint = std::max<uint64_t>(std::hash<std::string>()(name), 1);
  if (pages_ >= slots_.size() / 3 * 2 && pages_ < kMostPages) grow();
  uint64_t& slot = slots_[slot_of(fingerprint)];
  if (slot == fingerprint) return false;
  if (pages_ < kMostPages) {
    slot = fingerprint;
    ++pages_;
  }
  return true;
}

size_t PageRegister::slot_of(uint64_t fingerprint) const {
  const size_t mask = slots_.size() - 1;
  size_t at = fingerprint & mask;
  while (slots_[at] != 0 && slots_[at] != fingerprint) at = (at + 1) & mask;
  return at;
}

void PageRegister::grow() {
  constexpr size_t kFirstSlots = 1024;
  const std::vector<uint64_t> old =
      std::exchange(slots_, std::vector<uint64_t>(std::max(kFirstSlots, 2 * slots_.size())));
  for (const uint64_t fingerprint : old) {
    if (fingerprint != 0) slots_[slot_of(fingerprint)] = fingerprint;
  }
}

}  // namespace bertha::corpus
