#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/error.h"
#include "io/byte_order.h"
#include "io/weights/torch_file.h"
#include "io/weights/torch_tensor.h"

namespace bertha::io {
namespace {

// Files from before PyTorch 1.6 have five pickles (magic number, protocol, system, the value, the
// keys of the storages) and then, for each key, the element count and the data.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kLegacyProtocol = 1001;
constexpr size_t kLegacyMagicWithin = 32;

constexpr size_t kMostNames = 100;  // of refused globals that are listed
constexpr size_t kMostNameBytes = 200;

/// Whether torch.load(weights_only=True) allows this global, or it is a plain type: what state
/// dicts, settings and numpy arrays are made of.
bool is_weight_global(std::string_view name) {
  constexpr auto kNames = std::to_array<std::string_view>({"collections.OrderedDict",
                                                           "collections.defaultdict",
                                                           "collections.Counter",
                                                           "_codecs.encode",
                                                           "torch.Size",
                                                           "torch.device",
                                                           "torch.Tensor",
                                                           "torch.nn.Parameter",
                                                           "torch.nn.parameter.Parameter",
                                                           "torch._tensor._rebuild_from_type_v2",
                                                           "torch.serialization._get_layout",
                                                           "numpy.dtype",
                                                           "numpy.ndarray",
                                                           "numpy.core.multiarray._reconstruct",
                                                           "numpy._core.multiarray._reconstruct",
                                                           "numpy.core.multiarray.scalar",
                                                           "numpy._core.multiarray.scalar",
                                                           "numpy.core.numeric._frombuffer",
                                                           "numpy._core.numeric._frombuffer",
                                                           "builtins.set",
                                                           "builtins.frozenset",
                                                           "builtins.bytearray",
                                                           "builtins.int",
                                                           "builtins.float",
                                                           "builtins.str",
                                                           "builtins.list",
                                                           "builtins.dict",
                                                           "builtins.tuple",
                                                           "builtins.complex",
                                                           "builtins.slice",
                                                           "builtins.range",
                                                           "__builtin__.set"});
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  if (name.starts_with("torch._utils._rebuild_")) return true;
  // Storage classes and element types: "torch.FloatStorage", "torch.float32".
  const bool of_torch = name.starts_with("torch.") && name.rfind('.') == 5;
  const bool typed = name.starts_with("torch.storage.") && name.ends_with("Storage");
  return of_torch ? name.ends_with("Storage") || is_torch_type(name) : typed;
}

}  // namespace

TorchFile::TorchFile(const std::string& path) : file_(path) {
  if (ZipReader::matches(file_.bytes())) {
    read_zip();
  } else if (matches(file_.bytes())) {
    read_legacy();
  } else {
    fail("{}: expected a file of torch.save (a zip archive or a pickle)", path);
  }
}

bool TorchFile::matches(std::span<const std::byte> bytes) {
  if (ZipReader::matches(bytes)) return true;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kLegacyMagicWithin));
  return !head.empty() && head[0] == '\x80' && head.find(kLegacyMagic) != head.npos;
}

void TorchFile::read_zip() {
  zip_ = std::make_unique<ZipReader>(file_);
  constexpr std::string_view kPickleName = "/data.pkl";
  const ZipEntry* pickle = nullptr;
  for (const ZipEntry& entry : zip_->entries()) {
    if (!entry.name.ends_with(kPickleName)) continue;
    if (pickle != nullptr) fail("{}: two entries data.pkl, expected one", path());
    pickle = &entry;
  }
  if (pickle == nullptr)
    fail("{}: a zip archive without data.pkl, which torch.save would not write", path());
  const std::string prefix = pickle->name.substr(0, pickle->name.size() - kPickleName.size()) + "/";
  const std::string storages = prefix + "data/";
  for (const ZipEntry& entry : zip_->entries()) {
    if (entry.name.starts_with(storages)) {
      Storage& storage = storages_[entry.name.substr(storages.size())];
      storage.size_bytes = entry.size;
      storage.entry = &entry;
    } else if (&entry != pickle) {
      read_note(entry, prefix);
    }
  }
  const auto data = zip_->read(*pickle, pickle_);
  root_ = &read_pickle({reinterpret_cast<const char*>(data.data()), data.size()}, tree_,
                       path() + ": data.pkl");
}

/// Reads the byte order and other short entries of the archive, and checks their checksums.
void TorchFile::read_note(const ZipEntry& entry, const std::string& prefix) const {
  constexpr uint64_t kMostBytes = 1 << 20;  // TorchScript stores whole programs beside the tensors
  if (entry.size > kMostBytes) return;
  std::vector<std::byte> buffer;
  const auto text = zip_->read(entry, buffer);
  if (entry.name == prefix + "byteorder" &&
      std::string_view(reinterpret_cast<const char*>(text.data()), text.size()) != "little") {
    fail("{}: saved on a big-endian machine, which is not supported", path());
  }
}

std::vector<std::string> TorchFile::refused_globals() const {
  std::vector<std::string> names;
  for (const PickleValue& value : tree_.values()) {
    if (!value.is(PickleValue::Kind::kGlobal) || is_weight_global(value.text())) continue;
    const std::string name = fmt::format("{:.{}}", value.text(), kMostNameBytes);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (names.size() == kMostNames) break;
  }
  return names;
}

void TorchFile::verify() const {
  if (zip_ == nullptr) return;
  std::vector<std::byte> buffer;
  for (const ZipEntry& entry : zip_->entries()) zip_->read(entry, buffer);
}

void TorchFile::read_legacy() {
  std::string_view rest = file_.text();
  const auto next = [&](const char* what) -> const PickleValue& {
    size_t used = 0;
    const PickleValue& value = read_pickle(rest, tree_, fmt::format("{}: {}", path(), what), &used);
    rest.remove_prefix(used);
    return value;
  };
  next("the magic number");
  const int64_t protocol = next("the protocol").integer(path() + ": the protocol");
  if (protocol != kLegacyProtocol) {
    fail("{}: torch.save protocol {}, expected {}", path(), protocol, kLegacyProtocol);
  }
  const PickleValue* little = next("the system").find("little_endian");
  if (little != nullptr && !little->boolean(path() + ": little_endian")) {
    fail("{}: saved on a big-endian machine, which is not supported", path());
  }
  root_ = &next("the value");
  read_legacy_storages(next("the storage keys"), rest);
}

void TorchFile::read_legacy_storages(const PickleValue& keys, std::string_view rest) {
  std::unordered_map<std::string_view, uint64_t> element_bytes;
  for (const PickleValue& value : tree_.values()) {
    if (!value.is(PickleValue::Kind::kPersistent)) continue;
    const StorageId id = storage_id(value, path());
    element_bytes.emplace(id.key, static_cast<uint64_t>(id.type.bytes));
  }
  for (const PickleValue* key : keys.items()) {
    const std::string_view name = key->string(path() + ": a storage key");
    const auto found = element_bytes.find(name);
    if (found == element_bytes.end()) fail("{}: storage {} belongs to no tensor", path(), name);
    if (rest.size() < 8) fail("{}: cut off before storage {}", path(), name);
    const auto count = load<uint64_t>(reinterpret_cast<const std::byte*>(rest.data()));
    rest.remove_prefix(8);
    const uint64_t element = found->second;
    if (count > rest.size() / element) {
      fail("{}: storage {} needs {} elements of {} bytes, the file has {} bytes more", path(), name,
           count, element, rest.size());
    }
    Storage& storage = storages_[std::string(name)];
    if (storage.checked) fail("{}: storage {} occurs twice", path(), name);
    storage.bytes = std::as_bytes(std::span(rest.substr(0, count * element)));
    storage.size_bytes = count * element;
    storage.checked = true;
    rest.remove_prefix(count * element);
  }
}

std::span<const std::byte> TorchFile::storage_bytes(Storage& storage) const {
  if (!storage.checked) storage.bytes = zip_->read(*storage.entry, storage.inflated);
  storage.checked = true;
  return storage.bytes;
}

}  // namespace bertha::io
