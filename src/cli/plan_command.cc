#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "bert/config.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/rank_options.h"
#include "cli/stop.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "plan/cpu_datasheet.h"
#include "plan/plan_report.h"
#include "plan/scaling_svg.h"
#include "plan/step_timing.h"
#include "plan/training_plan.h"
#include "runlog/status_line.h"

namespace bertha::cli {
namespace {

struct PlanOptions {
  plan::PlanRequest request;
  RankOptions ranks;
  std::string rank_counts = "1,8,32,256,1024";
  std::vector<std::string> measured;
  std::optional<std::string> measure;
  std::string device = "cpu";
  int64_t measure_steps = 5;
  bool json = false;
  std::string svg;
};

void declare_job(Options& table, plan::PlanRequest& o) {
  plan::TrainingJob& job = o.job;
  table.file("config_file", job.config_file, "bert_config.json of the model").required();
  table.choice("card", o.gpu, {"a100-40", "a100-80", "l40s", "h100", "h200", "b200", "cpu"},
               "GPU model; cpu: this machine, where a few steps are timed first");
  table.value("micro_batch", job.shape.sequences, "number of sequences in a micro-batch");
  table.value("max_seq_length", job.shape.length, "number of tokens in the longest sequence");
  table.value("max_predictions_per_seq", job.shape.predictions,
              "maximum number of masked tokens in a sequence");
  table.value("gradient_accumulation_steps", job.accumulation,
              "number of micro-batches in an update, on each rank");
  table.value("max_steps", o.steps, "number of updates");
  table.value("real_share", o.assumptions.real_share,
              "number of real tokens divided by that of padded ones in the data, above 0 to 1; "
              "padding is not computed");
  table.value(
      "rate_share", o.assumptions.rate_share,
      "fraction of the rate in the data sheet that the GPU reaches, above 0 to 1: an assumption");
  table.flag("autocast", job.autocast, "compute matrix products in bf16");
  table.flag("checkpoint_activations", job.recompute,
             "keep only the input of each layer and compute the layer again in the backward pass");
}

void declare_ranks(Options& table, PlanOptions& o) {
  plan::ScalingRequest& scaling = o.request.scaling;
  table.heading("many ranks");
  table.value("ranks", o.rank_counts, "numbers of ranks to plan for, separated by commas");
  table.value("ranks_a_node", scaling.ranks_a_node, "number of ranks on a node");
  table.value("within", scaling.within,
              "link between the ranks of a node: shared-memory, pcie3 to pcie5, nvlink2 to "
              "nvlink5, gaudi (default: that of the GPU, or as measured)");
  table.value("network", scaling.network,
              "link between nodes: ethernet-10g, -25g, -100g, -200g, -400g, infiniband-hdr, -ndr "
              "(default: the usual one for the GPU, or as measured)");
  table.value("network_cards", scaling.network_cards, "number of network cards of a node");
  table.value("global_batch", scaling.global_batch,
              "number of sequences in an update, divided among all ranks; 0: every rank has "
              "--gradient-accumulation-steps micro-batches, with any number of ranks");
  table.choice("allreduce-dtype", o.ranks.allreduce_dtype, {"fp32", "bf16"},
               "data type of gradients between ranks");
  table.value("use_zero_optimizer", o.request.job.partitions_state,
              "partition the optimizer's state over the ranks (ZeRO-1)");
  table.heading("measurements instead of estimates");
  table.file(
      "measure", o.measure,
      "time steps and reductions here, under mpirun on all ranks, and write them to this file");
  table.files("measured", o.measured,
              "files of --measure, whose measurements replace the estimates");
  table.choice("device", o.device, device_words(), "device to measure on");
  table.value("measure_steps", o.measure_steps, "number of steps to time");
  table.heading("output");
  table.flag("json", o.json, "print everything as JSON");
  table.file("svg", o.svg, "file to draw the scaling into");
}

/// Fills in what the options name: the model, the numbers of ranks, the measurements.
void complete(PlanOptions& o) {
  plan::PlanRequest& request = o.request;
  request.job.config = bert::load_config(request.job.config_file).padded();
  request.job.reductions = o.ranks.sums();
  request.scaling.ranks = plan::parse_rank_counts(o.rank_counts);
  check_request(request);
  if (o.measure_steps < 1) fail("--measure-steps {}: expected at least 1", o.measure_steps);
  if (o.measure && !o.measured.empty()) fail("--measure and --measured exclude each other");
  use_measurements(request, o.measured);
}

/// Times steps on all ranks. Rank 0 writes the file.
plan::StepTiming measure(comm::Communicator& world, const PlanOptions& o) {
  const plan::TrainingJob& job = o.request.job;
  DeviceChoice choice;
  choice.device = o.device;
  choice.autocast = job.autocast;
  const RankDevice own = open_on_rank(choice, world);
  train::TrainerSettings settings;
  settings.compute = choice.bf16(*own.device) ? DType::kBF16 : DType::kF32;
  settings.recompute = job.recompute;
  settings.sums = job.reductions;
  plan::StepTiming timing =
      plan::time_steps(*own.world, *own.device, job.config, settings, job.shape, o.measure_steps);
  if (world.leads()) io::write_file(*o.measure, plan::timing_json(timing));
  return timing;
}

/// --card=cpu: the rates that this machine reaches stand for a data sheet.
void use_this_machine(PlanOptions& o) {
  if (o.measure || !o.measured.empty())
    fail(
        "--card cpu times steps on this machine: expected neither --measure nor --measured beside "
        "it");
  DeviceChoice choice;
  choice.autocast = o.request.job.autocast;
  const std::unique_ptr<Device> device = choice.open();
  if (o.request.job.autocast && !choice.bf16(*device)) o.request.job.autocast = false;
  o.request.machine = plan::measure_cpu(*device, o.request.job);
  o.request.machine_name = device->description();
  o.request.assumptions.rate_share = 1;
}

void print_plan(const PlanOptions& o) {
  const plan::TrainingPlan plan = plan::plan_training(o.request);
  const std::string text =
      o.json ? plan_json(plan) + "\n" : plan_text(plan, runlog::stderr_terminal().unicode);
  std::fputs(text.c_str(), stdout);
  if (!o.svg.empty()) io::write_file(o.svg, scaling_svg(plan.scaling));
}

}  // namespace

int run_plan(Arguments arguments) {
  PlanOptions o;
  Options table("bertha plan",
                "Estimates, before a run, the memory that pre-training takes on a GPU or on this "
                "CPU, its time, and the effect of many ranks. The memory is exact except for the "
                "parts that the "
                "libraries and the driver keep. The time rests on the assumption --rate-share "
                "until it has been measured on that machine (--measure).");
  table.example(
      "bertha plan --config-file=bert_config.json --card=h100 --micro-batch=64 "
      "--max-seq-length=128 --gradient-accumulation-steps=128 --max-steps=7038 --autocast",
      "Memory and time of phase 1 on H100 GPUs");
  table.example(
      "bertha plan --config-file=bert_config.json --card=cpu --micro-batch=8 --max-seq-length=128",
      "The same on this machine");
  declare_job(table, o.request);
  declare_ranks(table, o);
  table.parse(arguments);
  complete(o);
  if (o.request.gpu == "cpu") use_this_machine(o);
  if (!o.measure) {
    print_plan(o);
    return 0;
  }
  return on_all_ranks(o.ranks, stop_requested, [&](comm::Communicator& world) {
    o.request.timings.push_back(measure(world, o));
    if (world.leads()) print_plan(o);
    return 0;
  });
}

}  // namespace bertha::cli
