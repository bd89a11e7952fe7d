#include "core/profile.h"

#include <algorithm>

namespace bertha {

double Profile::seconds() const {
  double sum = 0;
  for (const Entry& entry : entries_) sum += entry.seconds;
  return sum;
}

void Profile::add(std::string_view name, double seconds, Cost cost) {
  auto entry = std::ranges::find(entries_, name, &Entry::name);
  if (entry == entries_.end()) entry = entries_.insert(entry, Entry{.name = name});
  entry->calls += 1;
  entry->seconds += seconds;
  entry->flops += static_cast<double>(cost.flops);
  entry->bytes += static_cast<double>(cost.bytes);
}

void Timed::begin() {
  outer_seconds_ = profile_->inner_seconds_;
  outer_part_cost_ = profile_->part_cost_;
  profile_->inner_seconds_ = 0;
  profile_->part_cost_ = {};
  start_ = std::chrono::steady_clock::now();
}

void Timed::end() {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
  const Cost parts = profile_->part_cost_;
  profile_->add(name_, passed.count() - profile_->inner_seconds_,
                {.flops = cost_.flops - parts.flops, .bytes = cost_.bytes - parts.bytes});
  profile_->inner_seconds_ = outer_seconds_ + passed.count();
  profile_->part_cost_ = outer_part_cost_;
  if (work_ == Work::kOp) return;
  profile_->part_cost_.flops += cost_.flops;
  profile_->part_cost_.bytes += cost_.bytes;
}

}  // namespace bertha
