// A stand-in for libcudnn.so.9, for tests without a GPU: the calls and descriptors that forward
// attention needs, with the rules of the documented interface, on host memory. It is written from
// cuDNN's documentation, not from src/backend/cuda, whose numbers it repeats on its own.
//
// BERTHA_CUDNN_STANDIN sets what it does: "old" is version 9.14, "none" has no engine, "wrong"
// leaves out the scale of the scores, "strict" is an engine that fails when it runs.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int kSuccess = 0;
constexpr int kBadParameter = 2000;
constexpr int kNotFinalized = 2002;
constexpr int kNotSupported = 3000;
constexpr int kExecutionFailed = 5000;

enum Kind {
  kEngine = 2,
  kConfig = 3,
  kHeuristics = 4,
  kPlan = 5,
  kGraph = 15,
  kPack = 16,
  kTensor = 17,
  kAttention = 41
};
enum Type {
  kHandle = 0,
  kDataType = 1,
  kBoolean = 2,
  kInt64 = 3,
  kPointer = 6,
  kMode = 8,
  kNote = 11,
  kDescriptor = 15
};
enum Data { kFloat = 0, kInt = 4, kBFloat16 = 9 };

/// One engine is not deterministic, one needs too much memory; the third is the one to take.
struct Engine {
  int64_t number;
  std::vector<int> notes;
  int64_t workspace_bytes;
};
const std::vector<Engine>& engines() {
  static const std::vector<Engine> all = {
      {4, {0, 4}, 0}, {7, {0}, int64_t{1} << 40}, {9, {0}, 17408}};
  return all;
}

std::string behaviour() {
  const char* const value = std::getenv("BERTHA_CUDNN_STANDIN");
  return value == nullptr ? "" : value;
}

struct Descriptor {
  Kind kind;
  bool final = false;
  std::map<int, std::vector<std::byte>> attributes;
  std::map<int, std::vector<Descriptor*>> links;  ///< attributes that are descriptors
  size_t engine = 0;                              ///< of an engine, configuration or plan

  bool has(int attribute) const { return attributes.contains(attribute); }
  template <typename Value>
  std::vector<Value> values(int attribute) const {
    const auto& bytes = attributes.at(attribute);
    std::vector<Value> result(bytes.size() / sizeof(Value));
    std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
  const Descriptor* link(int attribute) const {
    const auto found = links.find(attribute);
    return found == links.end() || found->second.empty() ? nullptr : found->second[0];
  }
};

int64_t id_of(const Descriptor& tensor) {
  return tensor.values<int64_t>(906).at(0);
}
int type_of(const Descriptor& tensor) {
  return tensor.values<int>(901).at(0);
}
std::vector<int64_t> extents_of(const Descriptor& tensor) {
  return tensor.values<int64_t>(902);
}
std::vector<int64_t> strides_of(const Descriptor& tensor) {
  return tensor.values<int64_t>(903);
}

size_t size_of(int type) {
  switch (type) {
    case kDataType:
    case kMode:
    case kNote:
      return sizeof(int);
    case kBoolean:
      return sizeof(bool);
    default:
      return 8;
  }
}

// ---- rules of each kind ----------------------------------------------------------------------

bool tensor_fits(const Descriptor& tensor) {
  for (const int needed : {900, 901, 902, 903, 906}) {
    if (!tensor.has(needed)) return false;
  }
  const auto extents = extents_of(tensor);
  return extents.size() == strides_of(tensor).size() &&
         std::ranges::all_of(extents, [](int64_t extent) { return extent > 0; });
}

/// A tensor of attention: [sequences, heads, length, columns], ragged by int32 offsets.
bool operand_fits(const Descriptor* tensor, int type, const std::vector<int64_t>& extents) {
  if (tensor == nullptr || !tensor->final || type_of(*tensor) != type) return false;
  const Descriptor* const offsets = tensor->link(913);
  return extents_of(*tensor) == extents && offsets != nullptr && offsets->final &&
         type_of(*offsets) == kInt &&
         extents_of(*offsets) == std::vector<int64_t>{extents[0] + 1, 1, 1, 1};
}

bool attention_fits(const Descriptor& op) {
  const Descriptor* const query = op.link(2800);
  if (query == nullptr) return false;
  const auto extents = extents_of(*query);
  if (extents.size() != 4 || extents[3] % 8 != 0) return false;
  for (const int operand : {2800, 2801, 2802, 2803}) {
    if (!operand_fits(op.link(operand), kBFloat16, extents)) return false;
  }
  const std::vector<int64_t> rows = {extents[0], extents[1], extents[2], 1};
  if (!operand_fits(op.link(2804), kFloat, rows)) return false;
  for (const int lengths : {2809, 2810}) {
    const Descriptor* const tensor = op.link(lengths);
    if (tensor == nullptr || type_of(*tensor) != kInt) return false;
    if (extents_of(*tensor) != std::vector<int64_t>{extents[0], 1, 1, 1}) return false;
  }
  const Descriptor* const scale = op.link(2805);
  return scale != nullptr && scale->has(908) && type_of(*scale) == kFloat;
}

int finalize(Descriptor& d) {
  for (const auto& [attribute, linked] : d.links) {
    for (const Descriptor* one : linked) {
      if (!one->final) return kNotFinalized;
    }
  }
  switch (d.kind) {
    case kTensor:
      return tensor_fits(d) ? kSuccess : kBadParameter;
    case kAttention:
      return attention_fits(d) ? kSuccess : kBadParameter;
    case kGraph:
      return d.has(800) && d.link(801) != nullptr ? kSuccess : kBadParameter;
    case kHeuristics:
      return d.link(201) != nullptr && d.has(200) ? kSuccess : kBadParameter;
    case kPlan:
      if (!d.has(400) || d.link(401) == nullptr) return kBadParameter;
      d.engine = d.link(401)->engine;
      return kSuccess;
    case kPack:
      return d.has(1000) && d.has(1001) && d.has(1003) &&
                     d.attributes.at(1000).size() == d.attributes.at(1001).size()
                 ? kSuccess
                 : kBadParameter;
    default:
      return kBadParameter;  // the library makes the others
  }
}

// ---- attributes that the library gives -------------------------------------------------------

int heuristics_results(const Descriptor& d, int64_t most, int64_t* count, void* values) {
  const auto available = behaviour() == "none" ? 0 : std::ssize(engines());
  *count = std::min<int64_t>(most, available);
  auto* const places = static_cast<Descriptor**>(values);
  for (int64_t i = 0; i < *count; ++i) {
    if (places[i]->kind != kConfig) return kBadParameter;
    places[i]->engine = static_cast<size_t>(i);
    places[i]->links[300] = d.links.at(201);
    places[i]->final = true;
  }
  return kSuccess;
}

int engine_notes(const Engine& engine, int64_t most, int64_t* count, void* values) {
  *count = std::min<int64_t>(most, std::ssize(engine.notes));
  std::copy_n(engine.notes.begin(), *count, static_cast<int*>(values));
  return kSuccess;
}

int get(const Descriptor& d, int attribute, int64_t most, int64_t* count, void* values) {
  if (!d.final) return kNotFinalized;
  const Engine& engine = engines()[d.engine];
  *count = 1;
  if (d.kind == kHeuristics && attribute == 202) return heuristics_results(d, most, count, values);
  if (d.kind == kEngine && attribute == 1303) return engine_notes(engine, most, count, values);
  if (d.kind == kEngine && attribute == 1301) {
    *static_cast<int64_t*>(values) = engine.number;
    return kSuccess;
  }
  if (d.kind == kPlan && attribute == 402) {
    *static_cast<int64_t*>(values) = engine.workspace_bytes;
    return kSuccess;
  }
  if (d.kind == kConfig && attribute == 300) {
    Descriptor* const place = *static_cast<Descriptor**>(values);
    place->engine = d.engine;
    place->final = true;
    return place->kind == kEngine ? kSuccess : kBadParameter;
  }
  return kNotSupported;
}

// ---- what the engine computes ----------------------------------------------------------------

using Bound = std::map<int64_t, void*>;

float widen(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}
uint16_t narrow(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

/// Elements of a ragged operand: row i of head h of sequence s begins at offset[s] + h·stride[1] +
/// i·stride[2].
template <typename Element>
struct Operand {
  Operand(const Descriptor& tensor, const Bound& bound)
      : elements(static_cast<Element*>(bound.at(id_of(tensor)))),
        offsets(static_cast<const int32_t*>(bound.at(id_of(*tensor.link(913))))),
        strides(strides_of(tensor)) {}
  Element* row(int64_t sequence, int64_t head, int64_t i) const {
    return elements + offsets[sequence] + head * strides[1] + i * strides[2];
  }

  Element* elements;
  const int32_t* offsets;
  std::vector<int64_t> strides;
};

struct Work {
  Work(const Descriptor& op, const Bound& bound)
      : q(*op.link(2800), bound),
        k(*op.link(2801), bound),
        v(*op.link(2802), bound),
        o(*op.link(2803), bound),
        statistics(*op.link(2804), bound),
        lengths(static_cast<const int32_t*>(bound.at(id_of(*op.link(2810))))),
        scale(*static_cast<const float*>(bound.at(id_of(*op.link(2805))))),
        extents(extents_of(*op.link(2800))) {
    if (behaviour() == "wrong") scale = 1;
  }

  Operand<uint16_t> q, k, v, o;
  Operand<float> statistics;
  const int32_t* lengths;
  float scale;
  std::vector<int64_t> extents;
};

void attend(const Work& w, int64_t sequence, int64_t head, int64_t query) {
  const int64_t length = w.lengths[sequence];
  const int64_t columns = w.extents[3];
  std::vector<double> weights(static_cast<size_t>(length));
  double most = -INFINITY;
  for (int64_t key = 0; key < length; ++key) {
    double dot = 0;
    for (int64_t c = 0; c < columns; ++c) {
      dot += double{widen(w.q.row(sequence, head, query)[c])} *
             double{widen(w.k.row(sequence, head, key)[c])};
    }
    weights[static_cast<size_t>(key)] = dot * double{w.scale};
    most = std::max(most, dot * double{w.scale});
  }
  double total = 0;
  for (double& weight : weights) total += weight = std::exp(weight - most);
  *w.statistics.row(sequence, head, query) = static_cast<float>(most + std::log(total));
  for (int64_t c = 0; c < columns; ++c) {
    double sum = 0;
    for (int64_t key = 0; key < length; ++key) {
      sum += weights[static_cast<size_t>(key)] * double{widen(w.v.row(sequence, head, key)[c])};
    }
    w.o.row(sequence, head, query)[c] = narrow(static_cast<float>(sum / total));
  }
}

int execute(const Descriptor& plan, const Descriptor& pack) {
  const Descriptor& graph = *plan.link(401)->link(300);
  const auto ids = pack.values<int64_t>(1000);
  const auto pointers = pack.values<void*>(1001);
  Bound bound;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (pointers[i] == nullptr) return kBadParameter;
    bound[ids[i]] = pointers[i];
  }
  if (behaviour() == "strict") return kExecutionFailed;
  try {
    const Work work(*graph.link(801), bound);
    for (int64_t s = 0; s < work.extents[0]; ++s) {
      if (work.lengths[s] < 0 || work.lengths[s] > work.extents[2]) return kExecutionFailed;
      for (int64_t head = 0; head < work.extents[1]; ++head) {
        for (int64_t i = 0; i < work.lengths[s]; ++i) attend(work, s, head, i);
      }
    }
  } catch (const std::out_of_range&) {
    return kBadParameter;  // a tensor without an address
  }
  return kSuccess;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

size_t cudnnGetVersion() {
  return behaviour() == "old" ? 91400 : 92801;
}
const char* cudnnGetErrorString(int status) {
  return status == kSuccess ? "success" : status < kNotSupported ? "bad parameter" : "refused";
}
int cudnnCreate(void** handle) {
  *handle = new int(7);
  return kSuccess;
}
int cudnnDestroy(void* handle) {
  delete static_cast<int*>(handle);
  return kSuccess;
}
int cudnnSetStream(void*, void*) {
  return kSuccess;
}
int cudnnBackendCreateDescriptor(int kind, void** descriptor) {
  *descriptor = new Descriptor{.kind = static_cast<Kind>(kind), .attributes = {}, .links = {}};
  return kSuccess;
}
int cudnnBackendDestroyDescriptor(void* descriptor) {
  delete static_cast<Descriptor*>(descriptor);
  return kSuccess;
}
int cudnnBackendSetAttribute(void* descriptor, int attribute, int type, int64_t count,
                             const void* values) {
  auto& d = *static_cast<Descriptor*>(descriptor);
  if (d.final || count < 1 || values == nullptr) return kBadParameter;
  if (type == kDescriptor) {
    auto* const* const linked = static_cast<Descriptor* const*>(values);
    d.links[attribute].assign(linked, linked + count);
    return kSuccess;
  }
  const auto* const bytes = static_cast<const std::byte*>(values);
  d.attributes[attribute].assign(bytes, bytes + static_cast<size_t>(count) * size_of(type));
  return kSuccess;
}
int cudnnBackendGetAttribute(void* descriptor, int attribute, int, int64_t most, int64_t* count,
                             void* values) {
  return get(*static_cast<Descriptor*>(descriptor), attribute, most, count, values);
}
int cudnnBackendFinalize(void* descriptor) {
  auto& d = *static_cast<Descriptor*>(descriptor);
  const int status = finalize(d);
  d.final = status == kSuccess;
  return status;
}
int cudnnBackendExecute(void* handle, void* plan, void* pack) {
  const auto& of_plan = *static_cast<Descriptor*>(plan);
  const auto& of_pack = *static_cast<Descriptor*>(pack);
  if (handle == nullptr || !of_plan.final || !of_pack.final) return kNotFinalized;
  return execute(of_plan, of_pack);
}

}  // extern "C"
#pragma GCC visibility pop
