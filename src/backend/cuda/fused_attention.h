#pragma once

// The forward pass of attention by cuDNN's fused kernels (its SDPA operation, on Hopper by wgmma
// and bulk copies), without dropout: cuDNN draws dropout by a rule of its own, and this program's
// masks must be those of its reference. Sequences lie one after the other, as ops/attention.h says;
// their lengths and ragged offsets are operands.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/cudnn_library.h"

namespace bertha::cuda {

/// What a plan depends on.
struct AttentionProblem {
  int64_t sequences = 0;  ///< a power of two: the batch's, and empty ones after them
  int64_t length = 0;     ///< longest sequence that may come
  int64_t heads = 0;
  int64_t head_size = 0;

  int64_t hidden() const { return heads * head_size; }
  auto key() const { return std::tuple(sequences, length, heads, head_size); }
  bool operator<(const AttentionProblem& other) const { return key() < other.key(); }
};

/// Addresses in device memory.
struct AttentionOperands {
  std::byte* qkv = nullptr;  ///< bf16 [T,3H]
  std::byte* y = nullptr;    ///< bf16 [T,H]
  std::byte* lse = nullptr;  ///< f32 [T,heads]
};

/// What a kernel writes for a plan from seq_start, i32: lengths [sequences], then the first element
/// of each sequence, and the end of the last, in qkv, y and lse [sequences + 1]. Each begins at a
/// multiple of kRaggedAlignment elements.
inline constexpr int64_t kRaggedAlignment = 64;
struct RaggedLayout {
  explicit RaggedLayout(int64_t sequences);
  int64_t qkv, y, lse;  ///< where they begin; the lengths begin at 0
  int64_t size;         ///< elements
};

/// For whom a plan is made: the GPU of a handle, or a GPU that is described and not there.
struct PlanTarget {
  cudnn_abi::Handle handle = nullptr;
  const CudnnDescriptor* device = nullptr;  ///< kDeviceProperties, final
};

/// The graph of one operation and the engine that cuDNN's heuristics put first among those whose
/// plan can be made, needs little workspace and gives the same bits each time.
class AttentionPlan {
 public:
  /// Throws Error when there is no such engine.
  AttentionPlan(const CudnnLibrary& library, const AttentionProblem& problem,
                const PlanTarget& target);

  /// cuDNN's number of the engine.
  int64_t engine() const { return engine_; }
  int64_t workspace_bytes() const { return workspace_bytes_; }
  /// Queues the kernels. `ragged` as RaggedLayout says.
  void execute(cudnn_abi::Handle handle, const AttentionOperands& operands, std::byte* ragged,
               std::byte* workspace) const;

 private:
  CudnnDescriptor& add(cudnn_abi::DescriptorType type);
  CudnnDescriptor& tensor(int64_t id, cudnn_abi::DataType type, const std::vector<int64_t>& extents,
                          const std::vector<int64_t>& strides,
                          const CudnnDescriptor* offsets = nullptr);
  CudnnDescriptor& scale();
  CudnnDescriptor& operation();
  CudnnDescriptor& graph(const PlanTarget& target);
  std::vector<std::unique_ptr<CudnnDescriptor>> configurations(const CudnnDescriptor& graph,
                                                               const PlanTarget& target);
  bool take(std::unique_ptr<CudnnDescriptor> configuration, const PlanTarget& target);

  const CudnnLibrary& library_;
  AttentionProblem problem_;
  std::vector<std::unique_ptr<CudnnDescriptor>> descriptors_;  ///< of the graph
  std::unique_ptr<CudnnDescriptor> configuration_, plan_;
  int64_t engine_ = -1;
  int64_t workspace_bytes_ = 0;
};

/// The plans of a GPU.
class FusedAttention {
 public:
  /// Null unless the environment's BERTHA_LIBCUDNN names the library. Throws Error when it cannot
  /// be used.
  static std::unique_ptr<FusedAttention> wanted(CudaDevice& device);

  FusedAttention(CudaDevice& device, const std::string& path);
  ~FusedAttention();
  FusedAttention(const FusedAttention&) = delete;
  FusedAttention& operator=(const FusedAttention&) = delete;

  /// Whether the library has kernels for these heads.
  static bool has(int64_t head_size) { return head_size % 8 == 0 && head_size <= 128; }
  /// The problem of a batch.
  static AttentionProblem problem_of(int64_t tokens, int64_t sequences, int64_t max_length,
                                     int64_t heads, int64_t head_size);

  struct Entry {
    std::unique_ptr<AttentionPlan> plan;  ///< null where cuDNN has no kernel for the problem
    Buffer ragged;                        ///< i32, RaggedLayout
    bool compared = false;                ///< with the kernels of this program
  };
  /// Made at the first call, which must not be in a captured run.
  Entry& entry(const AttentionProblem& problem);
  void execute(const Entry& entry, const AttentionOperands& operands) const;
  std::string version() const { return library_.version(); }

 private:
  CudaDevice& device_;
  CudnnLibrary library_;
  cudnn_abi::Handle handle_ = nullptr;
  Buffer workspace_;
  std::map<AttentionProblem, Entry> entries_;
};

}  // namespace bertha::cuda
