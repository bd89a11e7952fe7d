#pragma once

// How torch.save and numpy represent a tensor in a pickle. Private to torch_*.cc.

#include <optional>
#include <string>
#include <string_view>

#include "core/dtype.h"
#include "io/weights/pickle.h"

namespace bertha::io {

/// A persistent id: ('storage', class, key, location, count[, view]).
struct StorageId {
  DType dtype = DType::kU8;
  std::string_view key;
  int64_t first = 0;  ///< element at which a view of the older format starts
};

/// Throws Error that names `where` for an id of another form or an unknown element type.
StorageId storage_id(const PickleValue& value, const std::string& where);

}  // namespace bertha::io
