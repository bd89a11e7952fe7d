#include "io/weights/torch_tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "io/weights/torch_file.h"

namespace bertha::io {
namespace {

using Kind = PickleValue::Kind;
using Strides = std::vector<int64_t>;

constexpr size_t kMaxRank = 16;
// A tensor that is larger than its storage repeats elements (expand). Small ones occur in practice;
// large ones would let a file exhaust the memory.
constexpr int64_t kMaxExpanded = int64_t{1} << 22;  // elements

constexpr auto kStorageTypes =
    std::to_array<ElementType>({{"FloatStorage", 4, DType::kF32},
                                {"HalfStorage", 2, DType::kF16},
                                {"BFloat16Storage", 2, DType::kBF16},
                                {"DoubleStorage", 8, DType::kF64},
                                {"LongStorage", 8, DType::kI64},
                                {"IntStorage", 4, DType::kI32},
                                {"CharStorage", 1, DType::kI8},
                                {"ByteStorage", 1, DType::kU8},
                                {"UntypedStorage", 1, DType::kU8},
                                {"BoolStorage", 1, DType::kBool},
                                {"ShortStorage", 2, std::nullopt},
                                {"ComplexFloatStorage", 8, std::nullopt},
                                {"ComplexDoubleStorage", 16, std::nullopt},
                                {"QInt8Storage", 1, std::nullopt},
                                {"QUInt8Storage", 1, std::nullopt},
                                {"QInt32Storage", 4, std::nullopt}});
constexpr auto kTorchTypes =
    std::to_array<ElementType>({{"torch.float32", 4, DType::kF32},
                                {"torch.float16", 2, DType::kF16},
                                {"torch.bfloat16", 2, DType::kBF16},
                                {"torch.float64", 8, DType::kF64},
                                {"torch.int64", 8, DType::kI64},
                                {"torch.int32", 4, DType::kI32},
                                {"torch.int8", 1, DType::kI8},
                                {"torch.uint8", 1, DType::kU8},
                                {"torch.bool", 1, DType::kBool},
                                {"torch.int16", 2, std::nullopt},
                                {"torch.uint16", 2, std::nullopt},
                                {"torch.uint32", 4, std::nullopt},
                                {"torch.uint64", 8, std::nullopt},
                                {"torch.complex32", 4, std::nullopt},
                                {"torch.complex64", 8, std::nullopt},
                                {"torch.complex128", 16, std::nullopt},
                                {"torch.float8_e4m3fn", 1, std::nullopt},
                                {"torch.float8_e5m2", 1, std::nullopt},
                                {"torch.float8_e4m3fnuz", 1, std::nullopt},
                                {"torch.float8_e5m2fnuz", 1, std::nullopt},
                                {"torch.float8_e8m0fnu", 1, std::nullopt}});
constexpr auto kNumpyTypes = std::to_array<ElementType>({{"f4", 4, DType::kF32},
                                                         {"f2", 2, DType::kF16},
                                                         {"f8", 8, DType::kF64},
                                                         {"i8", 8, DType::kI64},
                                                         {"i4", 4, DType::kI32},
                                                         {"i1", 1, DType::kI8},
                                                         {"u1", 1, DType::kU8},
                                                         {"b1", 1, DType::kBool},
                                                         {"i2", 2, std::nullopt},
                                                         {"u2", 2, std::nullopt},
                                                         {"u4", 4, std::nullopt},
                                                         {"u8", 8, std::nullopt},
                                                         {"c8", 8, std::nullopt},
                                                         {"c16", 16, std::nullopt}});

template <size_t N>
const ElementType& find_type(const std::array<ElementType, N>& types, std::string_view name,
                             const std::string& where) {
  for (const ElementType& type : types) {
    if (type.name == name) return type;
  }
  fail("{}: element type {} is not supported", where, name);
}

constexpr auto kTensors = std::to_array<std::string_view>({"torch._utils._rebuild_tensor",
                                                           "torch._utils._rebuild_tensor_v2",
                                                           "torch._utils._rebuild_tensor_v3"});
// The first argument of each of these is the tensor or array that it wraps.
constexpr auto kWrappers = std::to_array<std::string_view>(
    {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
     "torch._utils._rebuild_device_tensor_from_numpy",
     "torch._utils._rebuild_device_tensor_from_cpu_tensor"});
constexpr auto kArrays = std::to_array<std::string_view>(
    {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"});
constexpr auto kBuffers = std::to_array<std::string_view>(
    {"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"});

bool is_one_of(const PickleValue& value, std::span<const std::string_view> names) {
  return value.is(Kind::kObject) &&
         std::find(names.begin(), names.end(), value.text()) != names.end();
}

/// Items of a tuple that must have at least `least` items.
std::span<const PickleValue* const> fields(const PickleValue* tuple, size_t least,
                                           const std::string& where) {
  if (tuple == nullptr || !tuple->is(Kind::kTuple) || tuple->items().size() < least) {
    fail("{}: expected a tuple of {} or more, found {}", where, least,
         tuple == nullptr ? "nothing" : tuple->description());
  }
  return tuple->items();
}

/// A tuple of extents or strides, or a torch.Size made from one.
std::vector<int64_t> extents_of(const PickleValue& value, const std::string& where) {
  const PickleValue* tuple = &value;
  if (value.is_object_of("torch.Size")) tuple = fields(value.arguments(), 1, where)[0];
  const auto items = fields(tuple, 0, where);
  if (items.size() > kMaxRank)
    fail("{}: {} dimensions, at most {} are supported", where, items.size(), kMaxRank);
  std::vector<int64_t> extents;
  for (const PickleValue* item : items) {
    extents.push_back(item->integer(where));
    if (extents.back() < 0) fail("{}: a dimension or stride of {}", where, extents.back());
  }
  return extents;
}

Strides row_major(std::span<const int64_t> shape) {
  Strides strides(shape.size(), 1);
  for (size_t i = shape.size(); i > 1; --i) strides[i - 2] = strides[i - 1] * shape[i - 1];
  return strides;
}

Strides column_major(std::span<const int64_t> shape) {
  Strides strides(shape.size(), 1);
  for (size_t i = 1; i < shape.size(); ++i) strides[i] = strides[i - 1] * shape[i - 1];
  return strides;
}

/// The strides without those of extents of 1, which may be any number and are never stepped by.
Strides steps_of(std::span<const int64_t> shape, Strides strides) {
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) strides[d] = 0;
  }
  return strides;
}

/// Copies a strided tensor into row-major order. The caller has checked that it lies in its
/// storage.
void gather(const std::byte* from, std::span<const int64_t> shape, const Strides& strides,
            size_t element, std::span<std::byte> to) {
  std::vector<int64_t> index(shape.size(), 0);
  int64_t offset = 0;
  for (size_t at = 0; at < to.size(); at += element) {
    std::memcpy(to.data() + at, from + static_cast<size_t>(offset) * element, element);
    for (size_t d = shape.size(); d > 0;) {
      --d;
      offset += strides[d];
      if (++index[d] < shape[d]) break;
      offset -= shape[d] * strides[d];
      index[d] = 0;
    }
  }
}

/// Text that stands for bytes, one code point per byte, as in Python 2's protocol.
std::vector<std::byte> decode_latin1(std::string_view text, const std::string& where) {
  std::vector<std::byte> bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    auto unit = static_cast<uint8_t>(text[i]);
    if (unit >= 0x80) {
      const bool pair = (unit == 0xc2 || unit == 0xc3) && i + 1 < text.size() &&
                        (static_cast<uint8_t>(text[i + 1]) & 0xc0U) == 0x80;
      if (!pair) fail("{}: byte {} of an array's text is not Latin-1", where, i);
      unit = static_cast<uint8_t>((unit & 0x03U) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3fU));
    }
    bytes.push_back(static_cast<std::byte>(unit));
  }
  return bytes;
}

/// Checks that the elements that a tensor touches, from `first` on with these strides, are in its
/// storage.
void check_reach(std::span<const int64_t> shape, const Strides& strides, int64_t first,
                 int64_t elements, const std::string& where) {
  if (shape.size() != strides.size()) {
    fail("{}: {} dimensions and {} strides", where, shape.size(), strides.size());
  }
  int64_t last = first;
  bool fits = first >= 0 && first <= elements;
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  for (size_t d = 0; d < shape.size() && fits && !empty; ++d) {
    int64_t reach = 0;
    fits = !__builtin_mul_overflow(shape[d] - 1, strides[d], &reach) &&
           !__builtin_add_overflow(last, reach, &last) && last < elements;
  }
  if (!fits || (!empty && last >= elements)) {
    fail("{}: a tensor of {} reaches past its storage of {} elements", where, shape_string(shape),
         elements);
  }
}

}  // namespace

bool is_torch_type(std::string_view name) {
  return std::any_of(kTorchTypes.begin(), kTorchTypes.end(),
                     [&](const ElementType& type) { return type.name == name; });
}

StorageId storage_id(const PickleValue& value, const std::string& where) {
  if (!value.is(Kind::kPersistent)) {
    fail("{}: expected a storage, found {}", where, value.description());
  }
  const auto id = fields(value.arguments(), 5, where);
  if (id[0]->string(where) != "storage" || !id[1]->is(Kind::kGlobal)) {
    fail("{}: expected a storage, found {}", where, id[1]->description());
  }
  const std::string_view type = id[1]->text();
  if (!type.starts_with("torch.")) fail("{}: unknown storage class {}", where, type);
  StorageId found;
  found.type = find_type(kStorageTypes, type.substr(type.rfind('.') + 1), where);
  found.key = id[2]->string(where);
  if (id.size() > 5 && id[5]->is(Kind::kTuple)) {
    found.first = fields(id[5], 3, where)[1]->integer(where);
  }
  return found;
}

/// Reads one value of a file as a tensor.
class TensorDecoder {
 public:
  TensorDecoder(const TorchFile& file, std::string_view name, bool with_bytes)
      : file_(file), where_(fmt::format("{}: {}", file.path(), name)), with_bytes_(with_bytes) {}

  TensorData run(const PickleValue& value) {
    const PickleValue* inner = &value;
    for (int depth = 0; is_one_of(*inner, kWrappers); ++depth) {
      if (depth == 4) fail("{}: a parameter of a parameter of a parameter", where_);
      inner = fields(inner->arguments(), 1, where_)[0];
    }
    if (is_one_of(*inner, kTensors)) return tensor(*inner);
    if (is_one_of(*inner, kArrays)) return array(*inner);
    if (is_one_of(*inner, kBuffers)) return buffer(*inner);
    fail("{}: expected a tensor, found {}", where_, inner->description());
  }
  /// After run(): the name of an element type that this program does not convert, or empty.
  const std::string& foreign_type() const { return foreign_type_; }

 private:
  void set_type(const ElementType& type, TensorData& data) {
    if (type.dtype) {
      data.dtype = *type.dtype;
      return;
    }
    if (with_bytes_) fail("{}: element type {} is not supported", where_, type.name);
    foreign_type_ = type.name;
  }
  TensorData tensor(const PickleValue& value) {
    const auto arguments = fields(value.arguments(), 4, where_);
    StorageId id = storage_id(*arguments[0], where_);
    if (value.text() == "torch._utils._rebuild_tensor_v3") {
      const auto more = fields(value.arguments(), 7, where_);
      if (!more[6]->is(Kind::kGlobal)) fail("{}: expected an element type", where_);
      id.type = find_type(kTorchTypes, more[6]->text(), where_);
    }
    const auto storage = file_.storages_.find(id.key);
    if (storage == file_.storages_.end()) fail("{}: storage {} is missing", where_, id.key);
    int64_t first = 0;
    if (id.first < 0 || __builtin_add_overflow(id.first, arguments[1]->integer(where_), &first)) {
      fail("{}: a storage offset out of range", where_);
    }
    TensorData data;
    set_type(id.type, data);
    data.shape = extents_of(*arguments[2], where_);
    const Strides strides = extents_of(*arguments[3], where_);
    const int64_t elements = static_cast<int64_t>(storage->second.size_bytes) / id.type.bytes;
    if (element_count(data.shape) < 0) {
      fail("{}: a tensor of {} is too large", where_, shape_string(data.shape));
    }
    check_reach(data.shape, strides, first, elements, where_);
    if (with_bytes_) fill(data, file_.storage_bytes(storage->second), strides, first);
    return data;
  }

  /// Sets the bytes of `data`: a view if they are in row-major order, else a copy.
  void fill(TensorData& data, std::span<const std::byte> storage, const Strides& strides,
            int64_t first) const {
    const int64_t count = element_count(data.shape);
    const auto element = static_cast<size_t>(size_of(data.dtype));
    const auto available = static_cast<int64_t>(storage.size() / element);
    if (count > available && count > kMaxExpanded) {
      fail("{}: a tensor of {} is larger than its storage", where_, shape_string(data.shape));
    }
    if (count == 0) return;
    const auto size = static_cast<size_t>(count) * element;
    const std::byte* from = storage.data() + static_cast<size_t>(first) * element;
    const Strides contiguous = row_major(data.shape);
    bool in_order = true;
    for (size_t d = 0; d < strides.size(); ++d) {
      in_order = in_order && (data.shape[d] == 1 || strides[d] == contiguous[d]);
    }
    if (in_order) {
      data.bytes = {from, size};
      return;
    }
    auto copy = std::make_shared<std::vector<std::byte>>(size);
    gather(from, data.shape, steps_of(data.shape, strides), element, *copy);
    data.bytes = *copy;
    data.owned = std::move(copy);
  }

  // numpy.core.multiarray._reconstruct(ndarray, (0,), b'b') with the state
  // (version, shape, dtype, column-major, data).
  TensorData array(const PickleValue& value) {
    const auto state = fields(value.state(), 5, where_);
    return array_of(*state[4], *state[2], *state[1], state[3]->boolean(where_));
  }

  // numpy.core.numeric._frombuffer(data, dtype, shape, order), protocol 5.
  TensorData buffer(const PickleValue& value) {
    const auto arguments = fields(value.arguments(), 4, where_);
    return array_of(*arguments[0], *arguments[1], *arguments[2],
                    arguments[3]->string(where_) == "F");
  }

  TensorData array_of(const PickleValue& raw, const PickleValue& dtype, const PickleValue& shape,
                      bool by_column) {
    TensorData data;
    set_type(numpy_type(dtype), data);
    data.shape = extents_of(shape, where_);
    const int64_t count = element_count(data.shape);
    if (count < 0) fail("{}: an array of {} is too large", where_, shape_string(data.shape));
    if (!with_bytes_) return data;
    std::shared_ptr<std::vector<std::byte>> decoded;
    std::span<const std::byte> bytes = std::as_bytes(std::span(raw.text()));
    if (raw.is_object_of("_codecs.encode")) {
      const auto arguments = fields(raw.arguments(), 2, where_);
      decoded = std::make_shared<std::vector<std::byte>>(
          decode_latin1(arguments[0]->string(where_), where_));
      bytes = *decoded;
    } else if (!raw.is(Kind::kBytes)) {
      fail("{}: expected an array's bytes, found {}", where_, raw.description());
    }
    if (static_cast<int64_t>(bytes.size()) != count * size_of(data.dtype)) {
      fail("{}: an array of {} {} with {} bytes", where_, shape_string(data.shape),
           name_of(data.dtype), bytes.size());
    }
    data.owned = decoded;
    fill(data, bytes, by_column ? column_major(data.shape) : row_major(data.shape), 0);
    return data;
  }

  // numpy.dtype('f4', False, True) with the state (3, '<', …).
  const ElementType& numpy_type(const PickleValue& value) const {
    if (!value.is_object_of("numpy.dtype")) {
      fail("{}: expected an array's type, found {}", where_, value.description());
    }
    const auto state = fields(value.state(), 2, where_);
    if (state[1]->string(where_) == ">") fail("{}: a big-endian array", where_);
    return find_type(kNumpyTypes, fields(value.arguments(), 1, where_)[0]->string(where_), where_);
  }

  const TorchFile& file_;
  std::string where_;
  bool with_bytes_;
  std::string foreign_type_;
};

bool TorchFile::is_tensor(const PickleValue& value) {
  return is_one_of(value, kTensors) || is_one_of(value, kWrappers) || is_one_of(value, kArrays) ||
         is_one_of(value, kBuffers);
}

TensorInfo TorchFile::info(const PickleValue& value, std::string_view name) const {
  TensorDecoder decoder(*this, name, false);
  TensorData data = decoder.run(value);
  return {std::string(name), data.dtype, std::move(data.shape), decoder.foreign_type()};
}

TensorData TorchFile::tensor(const PickleValue& value, std::string_view name) const {
  return TensorDecoder(*this, name, true).run(value);
}

}  // namespace bertha::io
