#pragma once

// The fields that manifests of this project may have, a subset of Kubernetes' and Kubeflow's, as
// one table of text.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::cli {

/// What a field may hold.
struct FieldType {
  enum class Kind {
    kObject,
    kList,
    kMap,
    kText,
    kInteger,
    kCount,
    kPort,
    kBoolean,
    kQuantity,
    kPortOrText,
    kChoice
  };
  Kind kind = Kind::kText;
  std::string name;                  ///< object: its type; list: of its items, as written
  std::vector<std::string> choices;  ///< values of kChoice
};

struct Field {
  FieldType type;
  bool required = false;
};

using ObjectType = std::map<std::string, Field>;
using Schema = std::map<std::string, ObjectType>;

/// "[Container]", "text", "=Never|OnFailure", …
FieldType parse_field_type(std::string_view text);
const Schema& manifest_schema();

}  // namespace bertha::cli
