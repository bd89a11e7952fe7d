#include "plan/step_timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/parallel_for.h"
#include "core/philox.h"
#include "io/shallow_json.h"
#include "io/whole_file.h"

namespace bertha::plan {
namespace {

using Json = nlohmann::ordered_json;

PretrainingBatch full_rows(const BatchShape& shape, int64_t vocabulary) {
  PhiloxStream random(1, 0);
  PretrainingBatch batch;
  batch.clear();
  for (int64_t row = 0; row < shape.sequences; ++row) {
    const auto begin = static_cast<int32_t>(batch.ids.size());
    for (int64_t i = 0; i < shape.length; ++i) {
      batch.ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
      batch.segments.push_back(i < shape.length / 2 ? 0 : 1);
      batch.positions.push_back(static_cast<int32_t>(i));
    }
    for (int64_t i = 0; i < shape.predictions; ++i) {
      batch.masked_rows.push_back(begin +
                                  static_cast<int32_t>(i * shape.length / shape.predictions));
      batch.masked_labels.push_back(static_cast<int32_t>(i % vocabulary));
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.ids.size()));
    batch.next_sentence.push_back(static_cast<int32_t>(row % 2));
  }
  return batch;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Times one thing on all ranks at once: they begin together, and the slowest counts.
class Stopwatch {
 public:
  Stopwatch(comm::Communicator& world, Device& device) : world_(world), device_(device) {}

  template <typename Body>
  double seconds(const Body& body) {
    device_.synchronize();
    world_.barrier(comm::Stage::kBarrier);
    const auto begin = std::chrono::steady_clock::now();
    body();
    device_.synchronize();
    const auto passed = std::chrono::steady_clock::now() - begin;
    const auto own = std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count();
    const auto all = world_.all_gather(static_cast<uint64_t>(own), comm::Stage::kMetrics);
    return static_cast<double>(*std::ranges::max_element(all)) * 1e-9;
  }

 private:
  comm::Communicator& world_;
  Device& device_;
};

int64_t hosts_of(const comm::Communicator& world) {
  std::set<std::string> hosts;
  for (int64_t rank = 0; rank < world.ranks(); ++rank) hosts.insert(world.host(rank));
  return std::ssize(hosts);
}

/// Sums of a bucket, an eighth of it and so on, down to 1,024 elements; each as one of many begun
/// at once, as in a step, and of other values than those just summed.
std::vector<Sample> time_sums(comm::Communicator& world, Stopwatch& watch, const Tensor& gradients,
                              const comm::ReduceOptions& options) {
  constexpr int64_t kRepeats = 7;
  constexpr int64_t kMostPieces = 32;
  std::vector<Sample> samples;
  int64_t elements = std::min(gradients.size(), world.bucket_elements(options));
  for (int64_t place = 0; elements >= 1024; elements /= 8) {
    const int64_t pieces = std::min(gradients.size() / elements, kMostPieces);
    std::vector<double> seconds;
    for (int64_t i = 0; i < kRepeats; ++i) {
      if (place + pieces * elements > gradients.size()) place = 0;
      const double all = watch.seconds([&] {
        for (int64_t piece = 0; piece < pieces; ++piece, place += elements) {
          world.all_reduce_async(inout(gradients.rows(place, elements)), options);
        }
        world.wait_all_reduces();
      });
      seconds.push_back(all / static_cast<double>(pieces));
    }
    const auto bytes = static_cast<double>(elements * size_of(options.wire_dtype));
    samples.push_back({world.ranks(), bytes, median(seconds)});
  }
  return samples;
}

}  // namespace

StepTiming time_steps(comm::Communicator& world, Device& device, const bert::Config& config,
                      train::TrainerSettings settings, const BatchShape& shape, int64_t steps) {
  settings.accumulation = 2;  // the second micro-batch overlaps with the all-reduce
  settings.optimizer.zero = false;
  settings.limits = {.tokens = shape.sequences * shape.length,
                     .sequences = shape.sequences,
                     .masked = shape.sequences * shape.predictions};
  bert::ParameterStore parameters(device, config, bert::Heads::for_pretraining(), settings.compute,
                                  true);
  parameters.initialise(bert::InitStyle::kRecipe, config, 1);
  train::PretrainingTrainer trainer(device, config, parameters, settings, world);
  const PretrainingBatch batch = full_rows(shape, config.vocab_size);
  Stopwatch watch(world, device);
  std::vector<double> plain, summed, update, whole;
  for (int64_t step = 0; step <= steps; ++step) {
    const auto draw = static_cast<uint32_t>(2 * step);
    plain.push_back(watch.seconds([&] { trainer.micro_batch(batch, draw); }));
    summed.push_back(watch.seconds([&] {
      trainer.micro_batch(batch, draw + 1);
      trainer.all_reduce_gradients();
    }));
    update.push_back(watch.seconds([&] { trainer.update(1e-4, step + 1); }));
    whole.push_back(watch.seconds(
        [&] { world.all_reduce(inout(parameters.flat_gradients()), settings.sums); }));
    if (step > 0) continue;
    for (auto* seconds : {&plain, &summed, &update, &whole}) seconds->clear();
  }
  StepTiming timing = {.device = device.description(),
                       .threads = thread_count(),
                       .ranks = world.ranks(),
                       .hosts = hosts_of(world),
                       .shape = shape,
                       .elements = parameters.table().flat_size(),
                       .bucket_elements = world.bucket_elements(settings.sums),
                       .micro_batch_seconds = median(plain),
                       .summed_micro_batch_seconds = median(summed),
                       .update_seconds = median(update),
                       .whole_sum_seconds = median(whole),
                       .sums = {}};
  if (world.ranks() > 1) {
    timing.sums = time_sums(world, watch, parameters.flat_gradients(), settings.sums);
  }
  return timing;
}

std::string timing_json(const StepTiming& t) {
  Json json = {{"device", t.device},
               {"threads", t.threads},
               {"ranks", t.ranks},
               {"hosts", t.hosts},
               {"sequences", t.shape.sequences},
               {"length", t.shape.length},
               {"predictions", t.shape.predictions},
               {"elements", t.elements},
               {"bucket_elements", t.bucket_elements},
               {"micro_batch_seconds", t.micro_batch_seconds},
               {"summed_micro_batch_seconds", t.summed_micro_batch_seconds},
               {"update_seconds", t.update_seconds},
               {"whole_sum_seconds", t.whole_sum_seconds},
               {"sums", Json::array()}};
  for (const Sample& sum : t.sums) {
    json["sums"].push_back({{"ranks", sum.ranks}, {"bytes", sum.bytes}, {"seconds", sum.seconds}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

namespace {

/// A figure at `place` ("FILE" or a part of it), within bounds.
template <typename T>
T figure(const Json& json, const std::string& place, const char* name, T least, T most) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number()) {
    fail("{}: \"{}\": expected a number from {} to {}", place, name, least, most);
  }
  const auto value = found->get<double>();
  if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most))) {
    fail("{}: \"{}\" is {}: expected {} to {}", place, name, value, least, most);
  }
  return static_cast<T>(value);
}

}  // namespace

StepTiming read_timing(const std::string& path) {
  constexpr int64_t kMost = int64_t{1} << 40;
  constexpr double kMostSeconds = 1e6;
  constexpr int64_t kMostBytes = 1 << 20;
  const auto json =
      io::parse_json<Json>(io::read_whole_file(path, "the measured steps", kMostBytes));
  if (!json.is_object()) fail("{}: not what bertha plan --measure writes", path);
  const auto count = [&](const char* name) { return figure<int64_t>(json, path, name, 1, kMost); };
  const auto seconds = [&](const char* name) {
    return figure<double>(json, path, name, 0, kMostSeconds);
  };
  StepTiming t;
  if (json.contains("device") && json["device"].is_string()) t.device = json["device"];
  t.threads = count("threads");
  t.ranks = count("ranks");
  t.hosts = count("hosts");
  t.shape = {count("sequences"), count("length"), count("predictions")};
  t.elements = count("elements");
  t.bucket_elements = count("bucket_elements");
  t.micro_batch_seconds = seconds("micro_batch_seconds");
  t.summed_micro_batch_seconds = seconds("summed_micro_batch_seconds");
  t.update_seconds = seconds("update_seconds");
  t.whole_sum_seconds = seconds("whole_sum_seconds");
  if (!json.contains("sums") || !json["sums"].is_array())
    fail("{}: \"sums\": expected a list", path);
  for (const Json& sum : json["sums"]) {
    const std::string place = fmt::format("{}: \"sums\" {}", path, t.sums.size());
    t.sums.push_back({figure<int64_t>(sum, place, "ranks", 2, kMost),
                      figure<double>(sum, place, "bytes", 1, 1e15),
                      figure<double>(sum, place, "seconds", 0, kMostSeconds)});
  }
  return t;
}

}  // namespace bertha::plan
