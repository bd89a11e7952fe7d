#pragma once

// A model of each task as tensors of the Open Inference Protocol: texts in, numbers and texts out.

#include <string_view>
#include <vector>

#include "serve/inference_service.h"
#include "serve/routes/kserve_tensors.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

/// A tensor as the model's metadata shows it; an extent of -1 is variable.
struct TensorInfo {
  std::string_view name;
  std::string_view datatype;
  std::vector<int64_t> shape;
};

struct ModelTensors {
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
};
ModelTensors tensors_of(const ModelInfo& model);

/// Runs the model and answers the call.
void infer(const ModelInfo& model, KserveRequest request, const CallRef& call);

}  // namespace bertha::serve
