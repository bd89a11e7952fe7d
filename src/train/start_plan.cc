#include "train/start_plan.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "io/weights/checkpoint_names.h"

namespace bertha::train {
namespace {

struct Found {
  int64_t number = 0;
  std::string path;
  CheckpointState state;
};

/// The newest whole checkpoint, or the one of --resume_step; damaged ones are named in `warnings`.
std::optional<Found> newest_whole(const PretrainingOptions& options,
                                  std::vector<std::string>& warnings) {
  std::string damage;
  for (const auto& [number, path] : io::list_checkpoints(options.output_dir)) {
    if (options.resume_step >= 0 && number != options.resume_step) continue;
    try {
      return Found{.number = number, .path = path, .state = read_checkpoint_state(path)};
    } catch (const Error& error) {
      damage = error.what();
      warnings.push_back(
          fmt::format("{} is damaged and is passed over for the one before it: {}", path, damage));
    }
  }
  if (!damage.empty()) {
    fail("{}: no whole checkpoint is left to start from; the last complaint: {}",
         options.output_dir, damage);
  }
  if (options.resume_step >= 0) {
    fail("--resume-step {}: {} has no ckpt_{}.pt", options.resume_step, options.output_dir,
         options.resume_step);
  }
  return std::nullopt;
}

bool is_phase2(const Settings& settings) {
  return std::find(settings.begin(), settings.end(), Settings::value_type{"phase", "2"}) !=
         settings.end();
}

/// A checkpoint of phase 1 that phase 2 starts from: its number less phase 1's steps is the step.
StartPlan start_phase2(const PretrainingOptions& options, Found found) {
  const bool of_phase1 = found.state.run.has_value();
  if (found.number < options.phase1_end_step ||
      (of_phase1 && found.number > options.phase1_end_step)) {
    fail("{}: phase 2 starts from step --phase1-end-step {}, this is step {}", found.path,
         options.phase1_end_step, found.number);
  }
  StartPlan plan;
  plan.kind = StartKind::kPhase2;
  plan.path = found.path;
  plan.state = std::move(found.state);
  plan.step = found.number - options.phase1_end_step;
  if (plan.step > 0) {
    plan.kind = StartKind::kOtherOrder;
    plan.warnings.push_back(
        fmt::format("{} is {} steps past --phase1-end-step {}: phase 2 goes on from there",
                    plan.path, plan.step, options.phase1_end_step));
  }
  return plan;
}

/// The setting max_steps of the checkpoint's run, where this command asks for more steps and
/// differs in nothing else.
std::optional<std::string> steps_before(const Settings& here, Settings there) {
  const auto steps = std::ranges::find(there, "max_steps", &Settings::value_type::first);
  if (steps == there.end()) return std::nullopt;
  const std::string before = steps->second;
  const std::string now = setting(here, "max_steps");
  if (std::pair(before.size(), before) >= std::pair(now.size(), now)) return std::nullopt;
  steps->second = now;
  if (!describe_differences(here, there).empty()) return std::nullopt;
  return before;
}

/// This very command goes on, or the same one with a larger --max_steps.
StartPlan continue_run(Found found, const Settings& settings,
                       const std::optional<std::string>& before) {
  StartPlan plan;
  plan.kind = StartKind::kContinue;
  plan.path = found.path;
  plan.step = found.state.step;
  plan.state = std::move(found.state);
  if (!before) return plan;
  plan.state.run->settings = settings;
  plan.warnings.push_back(
      fmt::format("--max-steps is {}, and was {}: the run goes on after step {}, and its learning "
                  "rate follows the longer schedule from there",
                  setting(settings, "max_steps"), *before, plan.step));
  return plan;
}

/// --resume_from_checkpoint with a checkpoint that this command did not write: the recipe's way.
StartPlan resume_other(const PretrainingOptions& options, Found found,
                       const std::string& differences) {
  const auto [newest, newest_path] = io::list_checkpoints(options.output_dir).front();
  if (options.resume_step >= 0 && newest > found.number) {
    fail("--resume-step {}: this run would write over {}, which another run left",
         options.resume_step, newest_path);
  }
  const bool of_phase2 = found.state.run && is_phase2(found.state.run->settings);
  if (options.phase2 && !of_phase2) return start_phase2(options, std::move(found));
  if (!options.phase2 && of_phase2) {
    fail("{} is of phase 2; add --phase2 to go on with it", found.path);
  }
  StartPlan plan;
  plan.kind = StartKind::kOtherOrder;
  plan.path = found.path;
  plan.state = std::move(found.state);
  plan.step = found.number - options.step_offset();
  if (plan.step < 0) {
    fail("{}: step {} is before --phase1-end-step {}", plan.path, found.number,
         options.phase1_end_step);
  }
  if (plan.state.run) {
    plan.warnings.push_back(
        fmt::format("{} is of another command ({}): weights, moments and step are taken over",
                    plan.path, differences));
  } else {
    plan.warnings.push_back(
        fmt::format("{} is not of this program: training goes on at the next shard of its list, "
                    "its order of rows cannot be continued exactly",
                    plan.path));
  }
  return plan;
}

}  // namespace

StartPlan plan_start(const PretrainingOptions& options, const Settings& settings) {
  StartPlan plan;
  std::vector<std::string> warnings;
  std::optional<Found> found = newest_whole(options, warnings);
  const std::string differences =
      found && found->state.run ? describe_differences(settings, found->state.run->settings) : "";
  const std::optional<std::string> before =
      found && found->state.run ? steps_before(settings, found->state.run->settings) : std::nullopt;
  if (found && found->state.run && (differences.empty() || before)) {
    plan = continue_run(std::move(*found), settings, before);
  } else if (options.init_checkpoint && !found) {
    plan.kind = StartKind::kInitial;
    plan.path = *options.init_checkpoint;
  } else if (found && options.resume_from_checkpoint) {
    plan = resume_other(options, std::move(*found), differences);
  } else if (found) {
    fail(
        "{} holds {} of another run{}; give another --output-dir, or --resume-from-checkpoint to "
        "go on from it",
        options.output_dir, std::filesystem::path(found->path).filename().string(),
        differences.empty() ? "" : " (" + differences + ")");
  } else if (options.phase2 && options.resume_from_checkpoint) {
    fail(
        "{}: no ckpt_<number>.pt to start phase 2 from; run phase 1 into this folder first, or "
        "give its weights with --init-checkpoint",
        options.output_dir);
  }
  plan.warnings.insert(plan.warnings.begin(), warnings.begin(), warnings.end());
  return plan;
}

}  // namespace bertha::train
