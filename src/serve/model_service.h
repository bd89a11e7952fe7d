#pragma once

// The models of a server and the lanes that run them: the one InferenceService of the program.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/device.h"
#include "infer/model.h"
#include "serve/inference_service.h"

namespace bertha::serve {

/// A model as the user names it.
struct ModelSpec {
  std::string name;
  std::string folder;
  std::optional<Task> task{};  ///< nothing: found from the heads of the weights
};

/// "answer", "fill", "embed", "classify", "rerank", "tag".
std::string_view task_name(Task task);
/// Throws Error that lists the names.
Task parse_task(std::string_view name);
/// NAME=DIR[:TASK] or DIR[:TASK], whose name is the folder's. Throws Error for anything else.
ModelSpec parse_model_spec(const std::string& typed);

struct ModelServiceOptions {
  std::vector<ModelSpec> models;
  /// Opens the device of a lane, on the lane's thread.
  std::function<std::unique_ptr<Device>()> open_device;
  /// The arithmetic on that device.
  std::function<infer::Arithmetic(const Device&)> arithmetic;
  int64_t lanes = 1;             ///< batches that run at the same time, each with its own weights
  int64_t max_batch_tokens = 0;  ///< 0: the smallest fast batch, measured at the start
  ServiceLimits limits{};
};

class ModelService : public InferenceService {
 public:
  /// Reads all models, warms them and returns when they are ready; until then every request is
  /// refused with kLoading. Throws Error that names the model; then the state is kFailed.
  virtual void load() = 0;
  /// Refuses new requests from now on, and finishes those that were admitted.
  virtual void begin_drain() = 0;
  /// Waits until no request is left or `deadline` has passed; true: none is left.
  virtual bool wait_drained(std::chrono::steady_clock::time_point deadline) = 0;
};

/// Throws Error for options that are out of range or two models of one name. The destructor ends
/// the lanes; requests that are left get kDraining.
std::unique_ptr<ModelService> make_model_service(ModelServiceOptions options);

}  // namespace bertha::serve
