#include "backend/gaudi/synapse_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace bertha::gaudi {
namespace {

constexpr size_t kProbeBytes = 512;
constexpr std::byte kCanary{0xa5};
/// Extents that no layout could confuse with a rank or with each other.
constexpr std::array<uint64_t, 3> kProbeSizes = {11, 257, 4099};

template <typename Value>
Value value_at(std::span<const std::byte> bytes, size_t offset) {
  Value value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

/// Numbers of a list such as "0,2,5".
std::vector<abi::ModuleId> numbers_of(std::string_view list) {
  std::vector<abi::ModuleId> numbers;
  while (!list.empty()) {
    const std::string_view word = list.substr(0, list.find(','));
    abi::ModuleId number = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (problem != std::errc() || end != word.data() + word.size()) {
      fail("HABANA_VISIBLE_MODULES: expected numbers with commas between them, not \"{}\"", word);
    }
    numbers.push_back(number);
    list.remove_prefix(std::min(list.size(), word.size() + 1));
  }
  return numbers;
}

}  // namespace

void SynapseLibrary::Closer::operator()(void* handle) const {
  dlclose(handle);
}

SynapseLibrary::SynapseLibrary(const std::string& path)
    : path_(path), handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) fail("{}", dlerror());
  find_functions();
  const abi::Status status = functions_.synInitialize();
  initialised_here_ = status != abi::kAlreadyInitialised;
  if (initialised_here_) check(status, "synInitialize");
  std::array<char, 256> version{};
  const abi::Status known =
      functions_.synDriverGetVersion(version.data(), static_cast<int>(version.size()) - 1);
  version_ = known == abi::kSuccess && version[0] != 0 ? version.data() : "an unknown version";
  try {
    probe_layout();
  } catch (...) {
    if (initialised_here_) functions_.synDestroy();
    throw;
  }
}

SynapseLibrary::~SynapseLibrary() {
  if (initialised_here_) functions_.synDestroy();
}

void* SynapseLibrary::symbol(const char* name) const {
  return dlsym(handle_.get(), name);
}

void SynapseLibrary::find_functions() {
  std::string missing;
  const auto find = [&](auto& function, const char* name, bool wide) {
    void* found = wide ? symbol((std::string(name) + "Ext").c_str()) : nullptr;
    if (found == nullptr) found = symbol(name);
    if (found == nullptr) missing += (missing.empty() ? "" : ", ") + std::string(name);
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);  // NOLINT
  };
#define BERTHA_FIND(name, result, parameters) find(functions_.name, #name, false);
  BERTHA_SYNAPSE_FUNCTIONS(BERTHA_FIND)
#undef BERTHA_FIND
#define BERTHA_FIND(name, result, parameters) find(functions_.name, #name, true);
  BERTHA_SYNAPSE_WIDE_FUNCTIONS(BERTHA_FIND)
#undef BERTHA_FIND
  if (!missing.empty()) fail("{} lacks the functions {}", path_, missing);
}

std::string layout_difference(std::span<const std::byte> bytes, std::byte canary,
                              std::span<const uint64_t> sizes) {
  const auto narrow = [&] {
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (value_at<uint32_t>(bytes, i * sizeof(uint32_t)) != sizes[i]) return false;
    }
    return true;
  };
  if (narrow()) return "extents of tensors are 32 bits wide";
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto seen = value_at<uint64_t>(bytes, i * sizeof(uint64_t));
    if (seen != sizes[i]) {
      return fmt::format("extent {} of a tensor came back as {}, not {}", i, seen, sizes[i]);
    }
  }
  const auto rank = value_at<uint32_t>(bytes, offsetof(abi::TensorGeometry, dimensions));
  if (rank != sizes.size())
    return fmt::format("a rank came back as {}, not {}", rank, sizes.size());
  const auto beyond = bytes.subspan(sizeof(abi::TensorGeometry));
  if (std::ranges::any_of(beyond, [&](std::byte byte) { return byte != canary; })) {
    return fmt::format("a geometry takes more than {} bytes", sizeof(abi::TensorGeometry));
  }
  return "";
}

void SynapseLibrary::probe_layout() const {
  abi::Graph graph = nullptr;
  abi::Status status = abi::kSuccess;
  for (const abi::DeviceType type : {abi::kGaudi2, abi::kGaudi, abi::kGaudi3}) {
    status = functions_.synGraphCreate(&graph, type);
    if (status == abi::kSuccess) break;
  }
  check(status, "synGraphCreate");
  struct Destroyer {
    const SynapseLibrary& library;
    abi::Graph graph;
    ~Destroyer() { library->synGraphDestroy(graph); }
  } const destroyer{*this, graph};
  abi::Tensor tensor = nullptr;
  BERTHA_SYNAPSE(*this, synTensorHandleCreate, &tensor, graph, abi::kData, "probe");
  // Room behind the struct, in case the library reads or writes a larger one.
  alignas(16) std::array<std::byte, kProbeBytes> set{};
  const abi::TensorGeometry geometry{.sizes = {kProbeSizes[0], kProbeSizes[1], kProbeSizes[2]},
                                     .dimensions = kProbeSizes.size()};
  std::memcpy(set.data(), &geometry, sizeof(geometry));
  alignas(16) std::array<std::byte, kProbeBytes> got{};
  got.fill(kCanary);
  BERTHA_SYNAPSE(*this, synTensorSetGeometry, tensor,
                 reinterpret_cast<const abi::TensorGeometry*>(set.data()), abi::kSizes);
  BERTHA_SYNAPSE(*this, synTensorGetGeometry, tensor,
                 reinterpret_cast<abi::TensorGeometry*>(got.data()), abi::kSizes);
  const std::string difference = layout_difference(got, kCanary, kProbeSizes);
  if (difference.empty()) return;
  fail("{} ({}) has another binary layout than SynapseAI 1.16 to 1.21: {}", path_, version_,
       difference);
}

std::vector<abi::ModuleId> SynapseLibrary::modules() const {
  uint32_t count = 0;
  BERTHA_SYNAPSE(*this, synDeviceGetCount, &count);
  if (count == 0) return {};
  if (const char* visible = std::getenv("HABANA_VISIBLE_MODULES");
      visible != nullptr && *visible != 0) {
    return numbers_of(visible);
  }
  std::vector<abi::ModuleId> modules(std::max<size_t>(count, 64));
  auto reported = static_cast<uint32_t>(modules.size());
  BERTHA_SYNAPSE(*this, synDeviceGetModuleIDs, modules.data(), &reported);
  modules.resize(std::min<size_t>(reported, modules.size()));
  std::ranges::sort(modules);
  return modules;
}

std::string SynapseLibrary::describe(abi::Status status, const char* function) const {
  std::array<char, 256> text{};
  const bool known = functions_.synStatusGetBriefDescription(status, text.data(),
                                                             text.size() - 1) == abi::kSuccess &&
                     text[0] != 0;
  return fmt::format("{} failed: {} (status {})", function, known ? text.data() : "no description",
                     status);
}

void SynapseLibrary::check(abi::Status status, const char* function) const {
  if (status != abi::kSuccess) [[unlikely]] {
    fail("Gaudi: {}", describe(status, function));
  }
}

namespace {

struct Loaded {
  std::unique_ptr<SynapseLibrary> library;
  std::string why;
};

Loaded load() {
  const char* named = std::getenv("BERTHA_LIBSYNAPSE");
  const bool given = named != nullptr && *named != 0;
  Loaded loaded;
  try {
    loaded.library = std::make_unique<SynapseLibrary>(given ? named : "libSynapse.so");
  } catch (const Error& error) {
    loaded.why = fmt::format("SynapseAI cannot be used: {}", error.what());
  }
  return loaded;
}

}  // namespace

SynapseLibrary* process_library(std::string* why) {
  static const Loaded loaded = load();
  *why = loaded.why;
  return loaded.library.get();
}

}  // namespace bertha::gaudi
