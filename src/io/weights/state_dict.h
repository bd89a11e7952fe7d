#pragma once

// Finds the dict of tensors in a file of torch.save. Trainers wrap it in dicts of their own. For
// tensor_source.cc only.

#include <string>

#include "io/weights/pickle.h"

namespace bertha::io {

/// The dict with the weights: `root` itself, or the first dict with tensors under a key that
/// trainers use ("model", "state_dict", "model_state_dict", "module", "net", "ema" and their like),
/// also of dicts within dicts. Throws Error that names `path` and the keys that were found.
const PickleValue& find_state_dict(const PickleValue& root, const std::string& path);

}  // namespace bertha::io
