#include "train/rank_agreement.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "bert/encoder_products.h"
#include "core/error.h"
#include "core/fp8.h"
#include "core/strings.h"
#include "io/archive/crc32.h"

namespace bertha::train {
namespace {

using Json = nlohmann::json;

/// CBOR, since paths need not be UTF-8.
std::string packed(const Json& json) {
  const std::vector<uint8_t> bytes = Json::to_cbor(json);
  return {bytes.begin(), bytes.end()};
}

std::string encode(const StartPlan& plan) {
  Json json = {{"kind", static_cast<int>(plan.kind)},
               {"path", plan.path},
               {"step", plan.step},
               {"warnings", plan.warnings},
               {"state_step", plan.state.step},
               {"files", plan.state.files},
               {"file_index", plan.state.file_index},
               {"epoch", plan.state.epoch}};
  if (plan.state.run) {
    const RunRecord& run = *plan.state.run;
    json["run"] = {{"id", run.run_id},
                   {"settings", run.settings},
                   {"rows_consumed", run.rows_consumed},
                   {"skipped_steps", run.skipped_steps},
                   {"written", run.written}};
  }
  return packed(json);
}

StartPlan decode(const std::string& text) {
  const Json json = Json::from_cbor(text);
  StartPlan plan;
  plan.kind = static_cast<StartKind>(json.at("kind").get<int>());
  plan.path = json.at("path");
  plan.step = json.at("step");
  plan.warnings = json.at("warnings").get<std::vector<std::string>>();
  plan.state.step = json.at("state_step");
  plan.state.files = json.at("files").get<std::vector<std::string>>();
  plan.state.file_index = json.at("file_index");
  plan.state.epoch = json.at("epoch");
  if (json.contains("run")) {
    const Json& run = json["run"];
    plan.state.run = RunRecord{.run_id = run.at("id"),
                               .settings = run.at("settings").get<Settings>(),
                               .rows_consumed = run.at("rows_consumed"),
                               .skipped_steps = run.at("skipped_steps"),
                               .written = run.at("written").get<std::vector<std::string>>()};
  }
  return plan;
}

uint64_t checksum_of(const std::string& text) {
  return io::crc32(std::as_bytes(std::span(text)));
}

/// "rank 3 on north, rank 5 on south": the ranks whose value differs from rank 0's.
std::string differing_ranks(const comm::Communicator& world, const std::vector<uint64_t>& values) {
  std::vector<std::string> names;
  for (size_t rank = 1; rank < values.size(); ++rank) {
    if (values[rank] == values[0]) continue;
    names.push_back(fmt::format("rank {} on {}", rank, world.host(static_cast<int64_t>(rank))));
  }
  return join(names, ", ");
}

/// Calls visit(field) for every field of StepSums: the one list that packing and unpacking use.
template <typename Sums, typename Visit>
constexpr void for_each_field(Sums& sums, const Visit& visit) {
  visit(sums.losses.masked);
  visit(sums.losses.next_sentence);
  visit(sums.losses.masked_count);
  visit(sums.losses.sequence_count);
  visit(sums.losses.masked_right);
  visit(sums.losses.next_sentence_right);
  visit(sums.loss);
  visit(sums.tokens);
  visit(sums.nonfinite);
}

constexpr size_t kStepSumsFields = [] {
  const StepSums sums;
  size_t count = 0;
  for_each_field(sums, [&count](const auto&) { ++count; });
  return count;
}();

}  // namespace

StartPlan agree_on_start(comm::Communicator& world, const Settings& settings,
                         const std::function<StartPlan()>& decide) {
  if (world.ranks() == 1) return decide();
  const uint64_t mine = checksum_of(packed(settings));
  const std::string odd = differing_ranks(world, world.all_gather(mine, comm::Stage::kStart));
  if (!odd.empty()) {
    fail("{}: started with other options, or sees other data, than rank 0 on {}", odd,
         world.host(0));
  }
  const std::string plan = world.leads() ? encode(decide()) : "";
  return decode(world.broadcast_text(plan, comm::Stage::kStart));
}

void broadcast_weights(comm::Communicator& world, bert::ParameterStore& parameters) {
  if (world.ranks() == 1) return;
  const Tensor weights = parameters.flat_weights();
  world.broadcast_tensor(parameters.device(), inout(weights), comm::Stage::kWeights);
  if (const bert::EncoderProducts* const products = parameters.encoder_products()) {
    world.broadcast_tensor(parameters.device(), inout(products->flat()), comm::Stage::kWeights);
  }
  parameters.weights_changed();
}

void broadcast_state(comm::Communicator& world, bert::ParameterStore& parameters,
                     optim::MomentStore& moments) {
  broadcast_weights(world, parameters);
  moments.broadcast_moments();
}

std::vector<float> gather_fp8_histories(comm::Communicator& world,
                                        const bert::ParameterStore& parameters) {
  if (parameters.fp8_operands() == 0) return {};
  const std::vector<float> mine = parameters.read_fp8_histories();
  std::vector<int64_t> bounds;
  for (int64_t rank = 0; rank <= world.ranks(); ++rank) bounds.push_back(rank * std::ssize(mine));
  std::vector<float> all(world.leads() ? static_cast<size_t>(bounds.back()) : 0);
  world.gather(mine, all, bounds, comm::Stage::kSave);
  return all;
}

void scatter_fp8_histories(comm::Communicator& world, std::vector<float> all,
                           bert::ParameterStore& parameters) {
  if (parameters.fp8_operands() == 0) return;
  const auto size = static_cast<size_t>(parameters.fp8_operands() * kFp8History);
  all.resize(size * static_cast<size_t>(world.ranks()));
  world.broadcast(std::as_writable_bytes(std::span(all)), comm::Stage::kStart);
  parameters.write_fp8_histories(
      std::span<const float>(all).subspan(size * static_cast<size_t>(world.rank()), size));
}

StepSums all_reduce_sums(comm::Communicator& world, const StepSums& mine) {
  std::array<double, kStepSumsFields> values{};
  size_t packed = 0;
  for_each_field(mine, [&](const auto& field) { values[packed++] = static_cast<double>(field); });
  world.all_reduce(values, comm::Stage::kMetrics);
  StepSums all;
  size_t unpacked = 0;
  for_each_field(
      all, [&]<typename Field>(Field& field) { field = static_cast<Field>(values[unpacked++]); });
  return all;
}

void check_same_weights(comm::Communicator& world, const bert::ParameterStore& parameters,
                        int64_t step) {
  if (world.ranks() == 1) return;
  uint32_t checksum = 0;
  std::vector<float> values;
  for (int i = 0; i < static_cast<int>(parameters.table().parameters().size()); ++i) {
    values.resize(static_cast<size_t>(parameters.table()[i].size()));
    parameters.read(i, values.data());
    checksum = io::crc32(std::as_bytes(std::span<const float>(values)), checksum);
  }
  const std::string odd = differing_ranks(world, world.all_gather(checksum, comm::Stage::kWeights));
  if (!odd.empty()) {
    fail(
        "step {}: the weights of {} differ from those of rank 0 on {}: a fault of a processor, a "
        "GPU or memory; start again from the last checkpoint",
        step, odd, world.host(0));
  }
}

}  // namespace bertha::train
