// Ranks of which one computes wrongly, under mpirun, on the folder that tiny_job made:
//   spoiled_job FOLDER OUTPUT nan RANK FROM TO    its losses' factor is NaN in micro-batches
//                                                 [FROM, TO), counted from 0
//   spoiled_job FOLDER OUTPUT flip RANK STEP      a bit of a weight flips after its update STEP
// Ends with 1 and a line for what training itself refuses.

#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "comm/communicator.h"
#include "core/error.h"
#include "train/pretraining_run.h"

namespace bertha {
namespace {

class SpoiledDevice : public cpu::CpuDevice {
 public:
  int64_t spoil_from = -1;
  int64_t spoil_to = -1;  ///< not included
  int64_t flip_after = -1;

  Buffer allocate(int64_t size_bytes) override {
    Buffer buffer = CpuDevice::allocate(size_bytes);
    if (weights_ == nullptr) weights_ = buffer.base();  // a model's first buffer
    return buffer;
  }
  void write(Out to, const void* host) override {
    CpuDevice::write(to, host);
    // The factor of a loss, which every gradient is multiplied by.
    const bool factor = to.tensor().dtype() == DType::kF32 && to.tensor().size() == 1;
    if (!factor || micro_batch_ < spoil_from || micro_batch_ >= spoil_to) return;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CpuDevice::write(to, &nan);
  }
  void run(const Segment& segment, BodyRef body) override {
    CpuDevice::run(segment, body);
    if (segment.name.ends_with("micro-batch")) ++micro_batch_;
    if (segment.name == "update" && ++updates_ == flip_after) weights_[0] ^= std::byte{1};
  }

 private:
  std::byte* weights_ = nullptr;
  int64_t micro_batch_ = 0;
  int64_t updates_ = 0;
};

train::PretrainingOptions options_for(const std::string& folder, const std::string& output,
                                      int64_t ranks) {
  train::PretrainingOptions options;
  options.input_dir = folder + "/data";
  options.config_file = folder + "/config.json";
  options.output_dir = folder + "/" + output;
  options.json_summary = options.output_dir + "/dllogger.json";
  options.train_batch_size = 16 / ranks;
  options.gradient_accumulation_steps = 4 / ranks;
  options.max_predictions_per_seq = 5;
  options.max_steps = 20;
  options.learning_rate = 0.02;
  options.num_steps_per_checkpoint = 3;
  options.weight_check_interval = 1;
  options.progress = false;
  return options;
}

void run(comm::Communicator& world, const std::vector<std::string>& words) {
  if (words.size() < 5) fail("usage: spoiled_job FOLDER OUTPUT nan|flip RANK …");
  SpoiledDevice device;
  if (world.rank() == std::stoll(words[3])) {
    if (words[2] == "nan") {
      device.spoil_from = std::stoll(words[4]);
      device.spoil_to = std::stoll(words.at(5));
    } else {
      device.flip_after = std::stoll(words[4]);
    }
  }
  train::PretrainingRun training(
      options_for(words[0], words[1], world.ranks()), device, [](const std::string&) {},
      [](const train::PretrainingOptions&) { return "Namespace()"; }, world);
  const std::atomic<bool> stop{false};
  training.run(stop);
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  const auto world = bertha::comm::join_world({});
  if (!world->leads()) spdlog::set_level(spdlog::level::off);
  try {
    bertha::run(*world, {argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", static_cast<int>(world->rank()), error.what());
    std::fflush(stderr);
    world->barrier(bertha::comm::Stage::kEnd);
    world->abort(1);
  }
  return 0;
}
