#include "backend/cuda/fused_attention.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "core/error.h"

namespace bertha::cuda {
namespace {

using namespace cudnn_abi;  // NOLINT(google-build-using-namespace): the library's numbers

/// More than any engine of attention was seen to ask for, tens of kilobytes.
constexpr int64_t kMostWorkspaceBytes = int64_t{1} << 20;
/// Engine configurations that are asked for.
constexpr int64_t kMostConfigurations = 8;
constexpr int64_t kAlignment = 16;
/// Sequence lengths are rounded to this, so that fewer plans are made.
constexpr int64_t kLengthStep = 64;
constexpr int64_t kLeastSequences = 8;

/// Names of the graph's tensors.
enum Id : int64_t {
  kQuery = 1,
  kKey,
  kValue,
  kOutput,
  kStatistics,
  kScale,
  kLengths,
  kQkvOffsets,
  kOutputOffsets,
  kStatisticsOffsets
};

int64_t padded(int64_t elements) {
  return (elements + kRaggedAlignment - 1) / kRaggedAlignment * kRaggedAlignment;
}

}  // namespace

RaggedLayout::RaggedLayout(int64_t sequences)
    : qkv(padded(sequences)),
      y(qkv + padded(sequences + 1)),
      lse(y + padded(sequences + 1)),
      size(lse + padded(sequences + 1)) {}

AttentionPlan::AttentionPlan(const CudnnLibrary& library, const AttentionProblem& problem,
                             const PlanTarget& target)
    : library_(library), problem_(problem) {
  const CudnnDescriptor& of_graph = graph(target);
  for (auto& configuration : configurations(of_graph, target)) {
    if (take(std::move(configuration), target)) return;
  }
  fail("cuDNN {}: no engine for attention of {} heads of {} over {} sequences of {} tokens",
       library.version(), problem.heads, problem.head_size, problem.sequences, problem.length);
}

CudnnDescriptor& AttentionPlan::add(DescriptorType type) {
  return *descriptors_.emplace_back(std::make_unique<CudnnDescriptor>(library_, type));
}

CudnnDescriptor& AttentionPlan::tensor(int64_t id, DataType type,
                                       const std::vector<int64_t>& extents,
                                       const std::vector<int64_t>& strides,
                                       const CudnnDescriptor* offsets) {
  CudnnDescriptor& made = add(kTensor);
  made.set(kTensorType, kDataTypeValue, std::span<const DataType>(&type, 1));
  made.set(kTensorId, id);
  made.set(kTensorAlignment, kAlignment);
  made.set(kTensorDimensions, extents);
  made.set(kTensorStrides, strides);
  if (offsets != nullptr) made.set(kTensorRaggedOffset, *offsets);
  made.finalize();
  return made;
}

/// 1 / √D, whose value comes with each call.
CudnnDescriptor& AttentionPlan::scale() {
  constexpr DataType kType = kF32;
  constexpr bool kYes = true;
  constexpr std::array<int64_t, 4> kOnes = {1, 1, 1, 1};
  CudnnDescriptor& made = add(kTensor);
  made.set(kTensorType, kDataTypeValue, std::span<const DataType>(&kType, 1));
  made.set(kTensorId, kScale);
  made.set(kTensorAlignment, kAlignment);
  made.set(kTensorDimensions, kOnes);
  made.set(kTensorStrides, kOnes);
  made.set(kTensorByValue, kBooleanValue, std::span<const bool>(&kYes, 1));
  made.finalize();
  return made;
}

/// Extents are [sequences, heads, length, head size] everywhere. The stride of a sequence has no
/// meaning where there are offsets; it is that of sequences of the full length.
CudnnDescriptor& AttentionPlan::operation() {
  const auto [sequences, length, heads, head_size] = problem_;
  const int64_t hidden = problem_.hidden();
  const std::vector<int64_t> ones = {1, 1, 1, 1};
  const std::vector<int64_t> bounds = {sequences + 1, 1, 1, 1};
  const std::vector<int64_t> extents = {sequences, heads, length, head_size};
  const std::vector<int64_t> in_qkv = {length * 3 * hidden, head_size, 3 * hidden, 1};
  const CudnnDescriptor& qkv = tensor(kQkvOffsets, kI32, bounds, ones);
  const CudnnDescriptor& of_output = tensor(kOutputOffsets, kI32, bounds, ones);
  const CudnnDescriptor& of_statistics = tensor(kStatisticsOffsets, kI32, bounds, ones);
  const CudnnDescriptor& lengths = tensor(kLengths, kI32, {sequences, 1, 1, 1}, ones);
  CudnnDescriptor& made = add(kAttentionForward);
  made.set(kAttentionQuery, tensor(kQuery, kBF16, extents, in_qkv, &qkv));
  made.set(kAttentionKey, tensor(kKey, kBF16, extents, in_qkv, &qkv));
  made.set(kAttentionValue, tensor(kValue, kBF16, extents, in_qkv, &qkv));
  made.set(kAttentionOutput,
           tensor(kOutput, kBF16, extents, {length * hidden, head_size, hidden, 1}, &of_output));
  made.set(kAttentionStatistics, tensor(kStatistics, kF32, {sequences, heads, length, 1},
                                        {length * heads, 1, heads, 1}, &of_statistics));
  made.set(kAttentionScale, scale());
  made.set(kAttentionQueryLengths, lengths);
  made.set(kAttentionKeyLengths, lengths);
  made.finalize();
  return made;
}

CudnnDescriptor& AttentionPlan::graph(const PlanTarget& target) {
  const CudnnDescriptor& only = operation();
  CudnnDescriptor& made = add(kOperationGraph);
  if (target.handle != nullptr) {
    made.set(kGraphHandle, kHandleValue, std::span<const Handle>(&target.handle, 1));
  }
  made.set(kGraphOperations, only);
  made.finalize();
  return made;
}

/// The engines with their settings, the best first.
std::vector<std::unique_ptr<CudnnDescriptor>> AttentionPlan::configurations(
    const CudnnDescriptor& graph, const PlanTarget& target) {
  constexpr HeuristicMode kMode = kDecisionTree;
  CudnnDescriptor heuristics(library_, kEngineHeuristics);
  heuristics.set(kHeuristicsGraph, graph);
  heuristics.set(kHeuristicsMode, kHeuristicModeValue, std::span<const HeuristicMode>(&kMode, 1));
  if (target.device != nullptr) heuristics.set(kHeuristicsDevice, *target.device);
  heuristics.finalize();
  std::vector<std::unique_ptr<CudnnDescriptor>> made;
  std::array<Descriptor, kMostConfigurations> places{};
  for (Descriptor& place : places) {
    place = made.emplace_back(std::make_unique<CudnnDescriptor>(library_, kEngineConfig))->get();
  }
  int64_t count = 0;
  library_.check(
      library_->cudnnBackendGetAttribute(heuristics.get(), kHeuristicsResults, kDescriptorValue,
                                         kMostConfigurations, &count, places.data()),
      "the heuristics' results");
  made.resize(static_cast<size_t>(std::clamp<int64_t>(count, 0, kMostConfigurations)));
  return made;
}

/// Makes the plan of a configuration; false where there is none that may be used.
bool AttentionPlan::take(std::unique_ptr<CudnnDescriptor> configuration, const PlanTarget& target) {
  const CudnnDescriptor engine(library_, kEngine);
  Descriptor place = engine.get();
  int64_t count = 0;
  library_.check(library_->cudnnBackendGetAttribute(configuration->get(), kConfigEngine,
                                                    kDescriptorValue, 1, &count, &place),
                 "the engine of a configuration");
  std::array<NumericalNote, 16> notes{};
  const Status known = library_->cudnnBackendGetAttribute(
      engine.get(), kEngineNotes, kNumericalNoteValue, std::ssize(notes), &count, notes.data());
  library_.check(known, "the notes of an engine");
  const auto noted =
      std::span(notes).first(static_cast<size_t>(std::clamp<int64_t>(count, 0, std::ssize(notes))));
  if (std::ranges::find(noted, kNotDeterministic) != noted.end()) return false;

  auto plan = std::make_unique<CudnnDescriptor>(library_, kExecutionPlan);
  if (target.handle != nullptr) {
    plan->set(kPlanHandle, kHandleValue, std::span<const Handle>(&target.handle, 1));
  }
  plan->set(kPlanConfig, *configuration);
  if (target.device != nullptr) plan->set(kPlanDevice, *target.device);
  if (library_->cudnnBackendFinalize(plan->get()) != kSuccess) return false;
  const int64_t workspace = plan->integer(kPlanWorkspaceBytes);
  if (workspace > kMostWorkspaceBytes) return false;
  configuration_ = std::move(configuration);
  plan_ = std::move(plan);
  workspace_bytes_ = workspace;
  engine_ = engine.integer(kEngineNumber);
  return true;
}

void AttentionPlan::execute(Handle handle, const AttentionOperands& operands, std::byte* ragged,
                            std::byte* workspace) const {
  constexpr int64_t kElementBytes = 2;
  const RaggedLayout layout(problem_.sequences);
  const auto numbers = [&](int64_t begin) { return ragged + begin * int64_t{sizeof(int32_t)}; };
  const int64_t part_bytes = problem_.hidden() * kElementBytes;
  auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(problem_.head_size)));
  const std::array<std::pair<int64_t, void*>, 10> bound = {{
      {kQuery, operands.qkv},
      {kKey, operands.qkv + part_bytes},
      {kValue, operands.qkv + 2 * part_bytes},
      {kOutput, operands.y},
      {kStatistics, operands.lse},
      {kScale, &scale},
      {kLengths, numbers(0)},
      {kQkvOffsets, numbers(layout.qkv)},
      {kOutputOffsets, numbers(layout.y)},
      {kStatisticsOffsets, numbers(layout.lse)},
  }};
  std::array<int64_t, bound.size()> ids{};
  std::array<void*, bound.size()> pointers{};
  for (size_t i = 0; i < bound.size(); ++i) std::tie(ids[i], pointers[i]) = bound[i];
  CudnnDescriptor pack(library_, kVariantPack);
  pack.set(kPackIds, ids);
  pack.set(kPackPointers, kPointerValue, std::span<void* const>(pointers));
  void* const space = workspace;
  pack.set(kPackWorkspace, kPointerValue, std::span<void* const>(&space, 1));
  pack.finalize();
  library_.check(library_->cudnnBackendExecute(handle, plan_->get(), pack.get()),
                 "cudnnBackendExecute of attention");
}

std::unique_ptr<FusedAttention> FusedAttention::wanted(CudaDevice& device) {
  const char* const path = std::getenv("BERTHA_LIBCUDNN");
  if (path == nullptr || *path == 0) return nullptr;
  try {
    return std::make_unique<FusedAttention>(device, path);
  } catch (const Error& error) {
    fail("BERTHA_LIBCUDNN: {}", error.what());
  }
}

FusedAttention::FusedAttention(CudaDevice& device, const std::string& path)
    : device_(device), library_(path), workspace_(device.allocate(kMostWorkspaceBytes)) {
  library_.check(library_->cudnnCreate(&handle_), "cudnnCreate");
  library_.check(library_->cudnnSetStream(handle_, device.stream()), "cudnnSetStream");
}

FusedAttention::~FusedAttention() {
  entries_.clear();
  library_->cudnnDestroy(handle_);
}

AttentionProblem FusedAttention::problem_of(int64_t tokens, int64_t sequences, int64_t max_length,
                                            int64_t heads, int64_t head_size) {
  const auto count = static_cast<uint64_t>(std::max(sequences, kLeastSequences));
  const int64_t reached = (tokens + kLengthStep - 1) / kLengthStep * kLengthStep;
  return {.sequences = static_cast<int64_t>(std::bit_ceil(count)),
          .length = std::min(max_length, reached),
          .heads = heads,
          .head_size = head_size};
}

FusedAttention::Entry& FusedAttention::entry(const AttentionProblem& problem) {
  const auto [place, made] = entries_.try_emplace(problem);
  Entry& entry = place->second;
  if (!made) return entry;
  try {
    entry.plan = std::make_unique<AttentionPlan>(library_, problem, PlanTarget{.handle = handle_});
  } catch (const Error&) {
    return entry;  // this program's own kernels run
  }
  entry.ragged = device_.allocate(RaggedLayout(problem.sequences).size * int64_t{sizeof(int32_t)});
  return entry;
}

void FusedAttention::execute(const Entry& entry, const AttentionOperands& operands) const {
  entry.plan->execute(handle_, operands, entry.ragged.base(), workspace_.base());
}

}  // namespace bertha::cuda
