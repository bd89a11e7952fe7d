#include "cli/rank_options.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "comm/device_communicator.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "io/archive/crc32.h"

namespace bertha::cli {
namespace {

/// When all ranks meet the same error, rank 0 alone should report it and then ends the others. So
/// the others wait up to two seconds before they report.
void wait_for_rank_0(const std::atomic<bool>& stop) {
  for (int tenth = 0; tenth < 20 && !stop; ++tenth) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

int end_all(comm::Communicator& world, const std::string& what, const std::atomic<bool>& stop) {
  if (!world.leads()) wait_for_rank_0(stop);
  if (world.leads() || !stop) {
    spdlog::error("rank {} on {}: {}", world.rank(), world.host(world.rank()), what);
    spdlog::default_logger()->flush();
  }
  world.abort(1);
  return 1;
}

/// Rank 0 alone returns the status, and ends last: mpirun takes a status other than 0 for a
/// failure. If other ranks still ran then, mpirun would wait for its kill timeout.
int leave(std::unique_ptr<comm::Communicator> world, int status) {
  const bool leads = world->leads();
  world.reset();
  if (!leads) return 0;
  if (status != 0) std::this_thread::sleep_for(std::chrono::seconds(1));
  return status;
}

}  // namespace

void RankOptions::declare(Options& options) {
  options.heading("ranks");
  options.flag(
      "deterministic", deterministic,
      "sum gradients in one order for any number of ranks: 1, 2, 4, … ranks with the same "
      "micro-batches and the same threads on each rank give the same bits. Takes the memory of "
      "log2(accumulation steps) gradients and one addition for each micro-batch");
  options.choice("allreduce-dtype", allreduce_dtype, {"fp32", "bf16"},
                 "data type of gradients between ranks; bf16 sends half the bytes");
  options.value(
      "use_zero_optimizer", zero,
      "ZeRO-1: each rank keeps the optimizer's moments of one partition of the parameters "
      "and updates that partition");
  options.value("watchdog-seconds", watchdog_seconds,
                "a rank that does not answer for this time is named, and the job ends");
  options.value("weight-check-interval", weight_check_interval,
                "number of steps between comparisons of the ranks' weights; 0: never");
}

comm::ReduceOptions RankOptions::sums() const {
  comm::ReduceOptions sums;
  sums.wire_dtype = allreduce_dtype == "bf16" ? DType::kBF16 : DType::kF32;
  sums.fixed_order = deterministic;
  return sums;
}

int on_all_ranks(const RankOptions& options, const std::atomic<bool>& stop,
                 const std::function<int(comm::Communicator&)>& body) {
  comm::WorldSettings settings;
  settings.silence_seconds = options.watchdog_seconds;
  settings.stopping = [&stop] { return stop.load(); };
  settings.on_failure = [](const std::string& line) {
    spdlog::error("{}; the job ends", line);
    spdlog::default_logger()->flush();
  };
  std::unique_ptr<comm::Communicator> world = comm::join_world(settings);
  if (world->ranks() == 1) return body(*world);
  if (!world->leads()) spdlog::set_level(spdlog::level::err);
  try {
    const int status = body(*world);
    return leave(std::move(world), status);
  } catch (const Error& error) {
    return end_all(*world, error.what(), stop);
  } catch (const std::exception& error) {
    return end_all(*world, fmt::format("internal error: {}", error.what()), stop);
  }
}

RankDevice open_on_rank(const DeviceChoice& choice, comm::Communicator& world) {
  RankDevice own;
  own.device = choice.open(world.local_rank());
  own.device_world = comm::choose_device_communicator(world, *own.device);
  own.world = own.device_world ? own.device_world.get() : &world;
  return own;
}

int64_t threads_beside(comm::Communicator& world) {
  const int64_t own = thread_count();
  if (world.ranks() == 1 || std::getenv("OMP_NUM_THREADS") != nullptr) return own;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  sched_getaffinity(0, sizeof(cores), &cores);
  const std::string host = world.host(world.rank());
  const uint32_t sum = io::crc32(std::as_bytes(std::span(host)));
  const uint32_t mine = io::crc32(std::as_bytes(std::span(&cores, 1)), sum);
  const std::vector<uint64_t> all = world.all_gather(mine, comm::Stage::kStart);
  const int64_t sharers = std::max<int64_t>(1, std::ranges::count(all, uint64_t{mine}));
  return std::max<int64_t>(1, own / sharers);
}

void print_line(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

}  // namespace bertha::cli
