#include "prepare/pipeline.h"

#include <spdlog/spdlog.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "core/error.h"
#include "io/archive/crc32.h"
#include "prepare/manifest.h"
#include "prepare/pipeline_steps.h"

namespace bertha::prepare {
namespace {

/// "[3/9] instances of 128 tokens"
std::string name_of(const std::vector<Step>& steps, size_t index) {
  return fmt::format("[{}/{}] {}", index + 1, steps.size(), steps[index].title);
}

bool has_manifest(const Step& step) {
  return !step.work.manifest.empty();
}

/// All ranks must plan the same steps; they do not when they see different files.
void check_same_steps(comm::Communicator& world, const std::vector<Step>& steps) {
  uint32_t checksum = 0;
  for (const Step& step : steps) {
    const std::string name = step.work.stage + step.work.manifest;
    checksum = io::crc32(std::as_bytes(std::span(name)), checksum);
  }
  const std::vector<uint64_t> checksums = world.all_gather(checksum, comm::Stage::kStart);
  for (size_t rank = 1; rank < checksums.size(); ++rank) {
    if (checksums[rank] == checksums[0]) continue;
    fail("rank {} on {} sees another working folder than rank 0 on {}", rank,
         world.host(static_cast<int64_t>(rank)), world.host(0));
  }
}

/// Decides on rank 0 which steps are due, one after the other.
class DueSteps {
 public:
  explicit DueSteps(bool dry_run) : dry_run_(dry_run) {}

  /// Whether the step must run now. If so, its former manifest has been removed.
  bool begin(const Step& step, const std::string& name) {
    std::string why = "what is whole already is kept";
    if (is_done(step, why)) {
      spdlog::info("{}: {}", name,
                   pending_ ? "would be skipped if the stages before make the same as before"
                            : "done before, skipped");
      return false;
    }
    spdlog::info("{}: {} ({})", name, dry_run_ ? "would run" : "runs", why);
    pending_ = dry_run_;
    if (!dry_run_ && has_manifest(step)) begin_stage(step.work);
    return !dry_run_;
  }

 private:
  bool is_done(const Step& step, std::string& why) const {
    if (!has_manifest(step)) return false;
    if (step.always) {
      why = "asked for";
      return false;
    }
    try {
      return prepare::is_done(step.work, why);
    } catch (const Error&) {
      if (!pending_) throw;
      why = "a stage before it is to be done";
      return false;
    }
  }

  bool dry_run_;
  bool pending_ = false;  ///< in a dry run: a step before this one would run
};

void run_step(const Step& step, const std::string& name, comm::Communicator& world,
              const PipelineCallbacks& callbacks) {
  if (!step.on_all_ranks && !world.leads()) return;
  const StepResult result = step.run(step.on_all_ranks ? world : comm::alone(), callbacks);
  if (!world.leads()) return;
  if (has_manifest(step)) finish_stage(step.work, result.counts, result.outputs);
  callbacks.print(fmt::format("{}: {}\n    {}", name, result.summary, step.folder));
}

PipelineCallbacks silent_callbacks() {
  return {.print = [](const std::string&) {},
          .open_progress = [](const std::string&, const std::string&) { return ReportProgress(); },
          .download = [](const DownloadOptions&) {}};
}

}  // namespace

void run_pipeline(const PipelineSettings& settings, comm::Communicator& world,
                  const PipelineCallbacks& callbacks) {
  check_settings(settings);
  const std::vector<Step> steps = plan_steps(settings);
  check_same_steps(world, steps);
  const PipelineCallbacks own = world.leads() ? callbacks : silent_callbacks();
  DueSteps due(settings.dry_run);
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::string name = name_of(steps, i);
    bool runs = world.leads() && due.begin(steps[i], name);
    world.wait_for_all(comm::Stage::kBarrier);
    world.broadcast(std::as_writable_bytes(std::span(&runs, 1)), comm::Stage::kStart);
    if (runs) run_step(steps[i], name, world, own);
  }
  world.wait_for_all(comm::Stage::kBarrier);
}

}  // namespace bertha::prepare
