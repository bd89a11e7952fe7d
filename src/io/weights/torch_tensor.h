#pragma once

// How torch.save and numpy represent a tensor in a pickle. Private to torch_*.cc.

#include <optional>
#include <string>
#include <string_view>

#include "core/dtype.h"
#include "io/weights/pickle.h"

namespace bertha::io {

/// The type of the elements of a storage or an array.
struct ElementType {
  std::string_view name;       ///< of the storage class, of torch or of numpy
  int64_t bytes = 0;           ///< of an element
  std::optional<DType> dtype;  ///< nothing: a type that this program does not convert
};

/// A persistent id: ('storage', class, key, location, count[, view]).
struct StorageId {
  ElementType type;
  std::string_view key;
  int64_t first = 0;  ///< element at which a view of the older format starts
};

/// Throws Error that names `where` for an id of another form or an unknown element type.
StorageId storage_id(const PickleValue& value, const std::string& where);

/// Whether `name` is that of an element type of torch: "torch.float32".
bool is_torch_type(std::string_view name);

}  // namespace bertha::io
