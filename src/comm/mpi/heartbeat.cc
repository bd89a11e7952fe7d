#include "comm/mpi/heartbeat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "comm/deadline.h"
#include "comm/mpi/mpi_library.h"

namespace bertha::comm {
namespace {

constexpr double kBeatSeconds = 0.5;
// When a rank has died, the launcher asks this process to stop and kills it a few seconds later.
// The other ranks must report the dead rank before that.
constexpr double kSilenceWhileStopping = 2.5;
// Rank 0 sees all ranks and reports first. When rank 0 is silent, rank 1 reports for the others.
constexpr double kRank1Delay = 0.25;
constexpr double kDeputyDelay = 5;
constexpr double kDeputyDelayWhileStopping = 0.5;
// A process that was suspended first reads the beats that arrived meanwhile.
constexpr double kAsleep = 1;
constexpr double kWakingUp = 2;
constexpr std::chrono::milliseconds kTick{50};
constexpr unsigned kAbortSeconds = 5;
constexpr std::chrono::milliseconds kReleaseLimit{1000};
constexpr int kTag = 1;

double now_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

std::vector<int64_t> watched_by(int rank, size_t ranks) {
  if (rank != 0) return {0};
  std::vector<int64_t> all(ranks);
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

}  // namespace

Heartbeat::Heartbeat(BerthaMpiComm communicator, const std::vector<std::string>& hosts,
                     const WorldSettings& settings, const Activity& activity)
    : communicator_(communicator),
      settings_(settings),
      activity_(activity),
      rank_(mpi().comm_rank(communicator)),
      last_exchange_(now_seconds()),
      monitor_(hosts, watched_by(rank_, hosts.size()), now_seconds()) {
  if (rank_ != 0) {
    peers_.push_back({.rank = 0, .sent = {}, .received = {}});
  } else {
    for (int rank = 1; rank < static_cast<int>(hosts.size()); ++rank) {
      peers_.push_back({.rank = rank, .sent = {}, .received = {}});
    }
  }
  talking_ = std::thread(&Heartbeat::talk, this);
  try {
    judging_ = std::thread(&Heartbeat::judge, this);
  } catch (...) {  // no thread is left for this process
    leaving_ = true;
    talking_.join();
    throw;
  }
}

Heartbeat::~Heartbeat() {
  leaving_ = true;
  talking_.join();
  left_ = true;
  judging_.join();
}

void Heartbeat::on_abort(std::function<void()> release) {
  const std::lock_guard lock(release_mutex_);
  release_ = std::move(release);
}

void Heartbeat::release() {
  call_with_deadline(
      [this] {
        // Held over the call: a communicator that goes away meanwhile waits for it.
        const std::lock_guard lock(release_mutex_);
        if (release_) release_();
      },
      kReleaseLimit);
}

Beat Heartbeat::beat(bool leaving) const {
  Beat beat;
  beat.step = activity_.step;
  beat.waits = activity_.waits;
  beat.stage = static_cast<uint8_t>(activity_.stage.load());
  beat.waits_now = activity_.waits_now;
  beat.left = leaving;
  return beat;
}

void Heartbeat::talk() {
  for (Peer& peer : peers_) {
    mpi().irecv(&peer.received, sizeof(Beat), peer.rank, kTag, communicator_, &peer.receiving);
  }
  double next_beat = now_seconds();
  while (true) {
    const bool leaving = leaving_;
    const double now = now_seconds();
    last_exchange_ = now;
    const bool due = leaving || now >= next_beat;
    if (due) next_beat = now + kBeatSeconds;
    if (exchange_beats(now, leaving, due)) return;
    std::this_thread::sleep_for(leaving ? kTick / 10 : kTick);
  }
}

/// Sends and receives beats. Returns true when this rank leaves and all ranks know that all leave.
bool Heartbeat::exchange_beats(double now, bool leaving, bool due) {
  bool all_parted = leaving;
  for (Peer& peer : peers_) {
    receive(peer, now);
    if (due) send(peer, leaving);
    all_parted = all_parted && parted(peer);
  }
  return all_parted;
}

void Heartbeat::receive(Peer& peer, double now) {
  while (peer.receiving != 0) {
    int done = 0;
    mpi().test(&peer.receiving, &done);
    if (done == 0) return;
    {
      const std::lock_guard lock(monitor_mutex_);
      monitor_.take(peer.rank, peer.received, now);
    }
    if (peer.received.left) return;  // its last beat: nothing more is expected
    mpi().irecv(&peer.received, sizeof(Beat), peer.rank, kTag, communicator_, &peer.receiving);
  }
}

/// At most one beat is in flight, so that a rank that receives nothing is not flooded.
void Heartbeat::send(Peer& peer, bool leaving) {
  int done = 1;
  mpi().test(&peer.sending, &done);
  if (done == 0 || peer.sent_leaving) return;
  peer.sent = beat(leaving);
  peer.sent_leaving = leaving;
  mpi().isend(&peer.sent, sizeof(Beat), peer.rank, kTag, communicator_, &peer.sending);
}

bool Heartbeat::parted(Peer& peer) {
  int done = 0;
  mpi().test(&peer.sending, &done);
  const std::lock_guard lock(monitor_mutex_);
  return done != 0 && peer.sent_leaving && monitor_.left(peer.rank);
}

void Heartbeat::judge() {
  double before = now_seconds();
  double trusted_from = before;
  while (!left_) {
    const double now = now_seconds();
    if (now - before > kAsleep) trusted_from = now + kWakingUp;
    before = now;
    if (now >= trusted_from) {
      if (const std::optional<std::string> line = verdict(now)) end(*line);
    }
    std::this_thread::sleep_for(leaving_ ? kTick / 10 : kTick);
  }
}

std::optional<std::string> Heartbeat::verdict(double now) {
  const bool stopping = settings_.stopping && settings_.stopping();
  double silence = settings_.silence_seconds;
  if (stopping) silence = std::min(silence, kSilenceWhileStopping);
  if (rank_ == 1) silence += kRank1Delay;
  if (rank_ > 1) silence += stopping ? kDeputyDelayWhileStopping : kDeputyDelay;
  const std::lock_guard lock(monitor_mutex_);
  if (rank_ == 0) monitor_.take(0, beat(leaving_), now);
  std::optional<std::string> line = monitor_.verdict(now, silence);
  const double kept = now - last_exchange_;
  if (!line || kept < kAsleep) return line;
  return fmt::format(
      "MPI has blocked the watchdog of rank {} for {:.0f} s, as it may when a host is lost; {}",
      rank_, kept, *line);
}

void Heartbeat::end(const std::string& line) {
  if (settings_.on_failure) settings_.on_failure(line);
  // MPI_Abort contacts the launcher, which may be unreachable: the alarm ends the process if it
  // hangs.
  std::signal(SIGALRM, SIG_DFL);
  alarm(kAbortSeconds);
  release();
  mpi().abort(1);
  std::_Exit(1);
}

}  // namespace bertha::comm
