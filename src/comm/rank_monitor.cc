#include "comm/rank_monitor.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace bertha::comm {

RankMonitor::RankMonitor(std::vector<std::string> hosts, const std::vector<int64_t>& watched,
                         double now)
    : hosts_(std::move(hosts)) {
  for (const int64_t rank : watched) {
    BERTHA_CHECK(rank >= 0 && rank < std::ssize(hosts_));
    watched_.push_back({.rank = rank, .beat = {}, .last_beat = now, .last_change = now});
  }
}

const RankMonitor::Watched& RankMonitor::at(int64_t rank) const {
  const auto found = std::ranges::find(watched_, rank, &Watched::rank);
  BERTHA_CHECK(found != watched_.end(), "rank {} is not watched", rank);
  return *found;
}

void RankMonitor::take(int64_t rank, const Beat& beat, double now) {
  auto& watched = const_cast<Watched&>(at(rank));
  const auto position = [](const Beat& b) { return std::tuple(b.step, b.waits, b.waits_now); };
  if (position(beat) != position(watched.beat)) watched.last_change = now;
  watched.beat = beat;
  watched.last_beat = now;
}

std::string RankMonitor::name(const Watched& watched) const {
  return fmt::format("rank {} on {}", watched.rank, hosts_[static_cast<size_t>(watched.rank)]);
}

std::optional<std::string> RankMonitor::silent(double now, double silence) const {
  const Watched* last = nullptr;
  for (const Watched& watched : watched_) {
    if (watched.beat.left || now - watched.last_beat < silence) continue;
    if (last == nullptr || watched.last_beat < last->last_beat) last = &watched;
  }
  if (last == nullptr) return std::nullopt;
  return fmt::format("{} has not answered for {:.0f} s; its last heartbeat was at step {}, in {}",
                     name(*last), now - last->last_beat, last->beat.step,
                     name_of(static_cast<Stage>(last->beat.stage)));
}

std::optional<std::string> RankMonitor::stalled(double now, double silence) const {
  const Watched* last = nullptr;
  for (const Watched& watched : watched_) {
    if (!watched.beat.waits_now || now - watched.last_change < silence) return std::nullopt;
    if (last == nullptr || watched.beat.waits < last->beat.waits) last = &watched;
  }
  if (last == nullptr || std::ssize(watched_) < 2) return std::nullopt;
  return fmt::format(
      "all ranks have waited for each other for {:.0f} s; furthest behind is {}, at step {}, in {}",
      now - last->last_change, name(*last), last->beat.step,
      name_of(static_cast<Stage>(last->beat.stage)));
}

std::optional<std::string> RankMonitor::verdict(double now, double silence) const {
  if (auto line = silent(now, silence)) return line;
  return stalled(now, silence);
}

}  // namespace bertha::comm
