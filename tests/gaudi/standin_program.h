#pragma once

// A program as the tests of the stand-in write it: it loads the library with dlopen, as the real
// one is loaded, and runs in a process of its own, because a process has one device and the library
// reads the environment once.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "gaudi/standin/hccl_interface.h"
#include "gaudi/standin/synapse_interface.h"

namespace bertha::standin::test {

/// Runs the body in a child process. The test fails when an expectation fails there, or when the
/// child ends otherwise than by returning.
inline void run_in_child(const std::map<std::string, std::string>& environment,
                         const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    try {
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// The functions of a library, by name.
class Library {
 public:
  explicit Library(const char* path = STANDIN_LIBRARY) : handle_(::dlopen(path, RTLD_NOW)) {
    if (handle_ == nullptr) fail("{}", ::dlerror());
  }

  void* symbol(const char* name) const { return ::dlsym(handle_, name); }

  template <typename Function>
  Function* get(const char* name) const {
    void* const found = symbol(name);
    if (found == nullptr) fail("there is no {}", name);
    return reinterpret_cast<Function*>(found);
  }

 private:
  void* handle_;
};

/// STANDIN_CALL(library, synInitialize)(): calls the function of that name.
#define STANDIN_CALL(library, name) (library).get<decltype(::name)>(#name)

/// A tensor of a test: elements as doubles, which the type rounds.
struct Array {
  DataType type = kF32;
  std::vector<uint64_t> sizes = {};
  std::vector<double> data = {};

  uint64_t count() const {
    uint64_t product = 1;
    for (const uint64_t size : sizes) product *= size;
    return product;
  }
};

template <typename T>
void append(std::vector<std::byte>& bytes, T value) {
  for (const std::byte byte : std::bit_cast<std::array<std::byte, sizeof(T)>>(value)) {
    bytes.push_back(byte);
  }
}

inline std::vector<std::byte> to_bytes(const Array& array) {
  std::vector<std::byte> bytes;
  for (const double element : array.data) {
    switch (array.type) {
      case kF32:
        append(bytes, static_cast<float>(element));
        break;
      case kBf16:
        append(bytes, BFloat16(static_cast<float>(element)));
        break;
      case kI32:
        append(bytes, static_cast<int32_t>(element));
        break;
      case kI8:
        append(bytes, static_cast<int8_t>(element));
        break;
      default:
        fail("no such type in tests");
    }
  }
  return bytes;
}

inline uint64_t bytes_of(DataType type) {
  return type == kI8 ? 1 : type == kBf16 ? 2 : 4;
}

inline std::vector<double> from_bytes(DataType type, const std::byte* bytes, uint64_t count) {
  std::vector<double> data;
  for (uint64_t i = 0; i < count; ++i) {
    switch (type) {
      case kF32:
        data.push_back(static_cast<double>(reinterpret_cast<const float*>(bytes)[i]));
        break;
      case kBf16:
        data.push_back(
            static_cast<double>(static_cast<float>(reinterpret_cast<const BFloat16*>(bytes)[i])));
        break;
      case kI32:
        data.push_back(static_cast<double>(reinterpret_cast<const int32_t*>(bytes)[i]));
        break;
      case kI8:
        data.push_back(static_cast<double>(reinterpret_cast<const int8_t*>(bytes)[i]));
        break;
      default:
        fail("no such type in tests");
    }
  }
  return data;
}

/// Bytes of parameters, one value after the other.
template <typename... T>
std::vector<std::byte> parameters(T... values) {
  std::vector<std::byte> bytes;
  (append(bytes, values), ...);
  return bytes;
}

/// An initialized library with a device and a stream, and short names for the calls. Calls that
/// must succeed throw Error with the library's line otherwise.
class Program {
 public:
  Program() {
    must(STANDIN_CALL(library_, synInitialize)());
    must(STANDIN_CALL(library_, synDeviceAcquireByModuleId)(&device_, 0));
    stream_ = create_stream();
  }

  const Library& library() const { return library_; }
  uint32_t device() const { return device_; }
  void* stream() const { return stream_; }

  void must(int32_t status) const {
    if (status != kSuccess) fail("status {}: {}", status, line());
  }
  std::string line() const { return STANDIN_CALL(library_, standin_last_line)(); }
  /// Expects a status, and a line that names the rule.
  void expect_refusal(int32_t status, int32_t expected, const std::string& rule) const {
    EXPECT_EQ(status, expected) << line();
    EXPECT_NE(line().find("[" + rule + "]"), std::string::npos) << line();
  }

  void* create_stream() const {
    void* stream = nullptr;
    must(STANDIN_CALL(library_, synStreamCreateGeneric)(&stream, device_, 0));
    return stream;
  }
  void* create_event(uint32_t flags = 0) const {
    void* event = nullptr;
    must(STANDIN_CALL(library_, synEventCreate)(&event, device_, flags));
    return event;
  }
  uint64_t device_memory(uint64_t size) const {
    uint64_t address = 0;
    must(STANDIN_CALL(library_, synDeviceMalloc)(device_, size, 0, 0, &address));
    return address;
  }
  std::byte* host_memory(uint64_t size) const {
    void* memory = nullptr;
    must(STANDIN_CALL(library_, synHostMalloc)(device_, size, 0, &memory));
    return static_cast<std::byte*>(memory);
  }
  int32_t to_device(void* stream, const std::byte* from, uint64_t to, uint64_t size) const {
    return STANDIN_CALL(library_, synMemCopyAsync)(stream, reinterpret_cast<uint64_t>(from), size,
                                                   to, kHostToDevice);
  }
  int32_t to_host(void* stream, uint64_t from, std::byte* to, uint64_t size) const {
    return STANDIN_CALL(library_, synMemCopyAsync)(stream, from, size,
                                                   reinterpret_cast<uint64_t>(to), kDeviceToHost);
  }
  int32_t wait(void* stream) const { return STANDIN_CALL(library_, synStreamSynchronize)(stream); }
  int32_t record(void* event, void* stream) const {
    return STANDIN_CALL(library_, synEventRecord)(event, stream);
  }
  int32_t wait_for(void* stream, void* event) const {
    return STANDIN_CALL(library_, synStreamWaitEvent)(stream, event, 0);
  }

  /// Device memory that holds the array, or poison when it has no data. The copy has landed.
  uint64_t place(const Array& array) const {
    const uint64_t size = array.count() * bytes_of(array.type);
    const uint64_t address = device_memory(size);
    if (array.data.empty()) return address;
    std::byte* const host = host_memory(size);
    const std::vector<std::byte> bytes = to_bytes(array);
    std::copy(bytes.begin(), bytes.end(), host);
    must(to_device(stream_, host, address, size));
    must(wait(stream_));
    return address;
  }
  std::vector<double> fetch(DataType type, uint64_t count, uint64_t address) const {
    std::byte* const host = host_memory(count * bytes_of(type));
    must(to_host(stream_, address, host, count * bytes_of(type)));
    must(wait(stream_));
    return from_bytes(type, host, count);
  }

 private:
  Library library_;
  uint32_t device_ = 0;
  void* stream_ = nullptr;
};

/// A graph under construction.
class GraphBuilder {
 public:
  explicit GraphBuilder(const Program& program, int32_t type = kGaudi2) : program_(program) {
    program.must(STANDIN_CALL(library(), synGraphCreate)(&graph_, type));
  }

  void* handle() const { return graph_; }

  void* section(bool persistent = true) const {
    void* section = nullptr;
    program_.must(STANDIN_CALL(library(), synSectionCreate)(&section, 0, graph_));
    if (persistent) {
      program_.must(STANDIN_CALL(library(), synSectionSetPersistent)(section, true));
    }
    return section;
  }
  /// A tensor in the workspace.
  void* tensor(const std::string& name, DataType type, const std::vector<uint64_t>& sizes) const {
    void* tensor = nullptr;
    program_.must(
        STANDIN_CALL(library(), synTensorHandleCreate)(&tensor, graph_, kDataTensor, name.c_str()));
    TensorGeometry geometry{};
    std::copy(sizes.begin(), sizes.end(), geometry.sizes);
    geometry.rank = static_cast<uint32_t>(sizes.size());
    program_.must(STANDIN_CALL(library(), synTensorSetGeometry)(tensor, &geometry, kMaximumSizes));
    program_.must(STANDIN_CALL(library(), synTensorSetDeviceDataType)(tensor, type));
    return tensor;
  }
  int32_t assign(void* tensor, void* section, uint64_t offset) const {
    return STANDIN_CALL(library(), synTensorAssignToSection)(tensor, section, offset);
  }
  void* persistent(const std::string& name, DataType type, const std::vector<uint64_t>& sizes,
                   void* in_section, uint64_t offset = 0) const {
    void* const created = tensor(name, type, sizes);
    program_.must(assign(created, in_section, offset));
    return created;
  }
  /// In a section of its own.
  void* persistent(const std::string& name, DataType type,
                   const std::vector<uint64_t>& sizes) const {
    return persistent(name, type, sizes, section());
  }

  int32_t try_node(const std::string& guid, const std::vector<std::byte>& values,
                   const std::vector<void*>& inputs, const std::vector<void*>& outputs,
                   uint64_t* id = nullptr) const {
    return STANDIN_CALL(library(), synNodeCreateWithId)(
        graph_, inputs.data(), outputs.data(), static_cast<uint32_t>(inputs.size()),
        static_cast<uint32_t>(outputs.size()), values.data(), static_cast<unsigned>(values.size()),
        guid.c_str(), (guid + "_node").c_str(), id, nullptr, nullptr);
  }
  uint64_t node(const std::string& guid, const std::vector<std::byte>& values,
                const std::vector<void*>& inputs, const std::vector<void*>& outputs) const {
    uint64_t id = 0;
    program_.must(try_node(guid, values, inputs, outputs, &id));
    return id;
  }
  int32_t try_compile(void** recipe) const {
    return STANDIN_CALL(library(), synGraphCompile)(recipe, graph_, "recipe", nullptr);
  }
  void* compile() const {
    void* recipe = nullptr;
    program_.must(try_compile(&recipe));
    return recipe;
  }
  void expect_compile_refusal(int32_t status, const std::string& rule) const {
    void* recipe = nullptr;
    program_.expect_refusal(try_compile(&recipe), status, rule);
  }

 private:
  const Library& library() const { return program_.library(); }

  const Program& program_;
  void* graph_ = nullptr;
};

/// A persistent tensor at a launch.
struct Bound {
  const char* name;
  std::vector<uint64_t> sizes;
  uint64_t address;
};

inline int32_t launch(const Program& program, void* stream, void* recipe,
                      const std::vector<Bound>& tensors, uint64_t workspace = 0) {
  std::vector<LaunchTensor> list;
  for (const Bound& bound : tensors) {
    LaunchTensor tensor{
        .name = bound.name, .address = bound.address, .type = 0, .sizes = {}, .id = 0};
    std::copy(bound.sizes.begin(), bound.sizes.end(), tensor.sizes);
    const char* name = bound.name;
    program.must(
        STANDIN_CALL(program.library(), synTensorRetrieveIds)(recipe, &name, &tensor.id, 1));
    list.push_back(tensor);
  }
  return STANDIN_CALL(program.library(), synLaunch)(
      stream, list.data(), static_cast<uint32_t>(list.size()), workspace, recipe, 0);
}

/// Compiles and runs a graph of one node. Returns its outputs; throws Error with the library's line
/// when it refuses.
inline std::vector<std::vector<double>> run_node(const Program& program, const std::string& guid,
                                                 const std::vector<std::byte>& values,
                                                 const std::vector<Array>& inputs,
                                                 const std::vector<Array>& outputs) {
  const GraphBuilder graph(program);
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs.size(); ++i) names.push_back("input" + std::to_string(i));
  for (size_t i = 0; i < outputs.size(); ++i) names.push_back("output" + std::to_string(i));
  std::vector<Bound> bound;
  std::vector<void*> in;
  std::vector<void*> out;
  for (size_t i = 0; i < inputs.size() + outputs.size(); ++i) {
    const bool is_input = i < inputs.size();
    const Array& array = is_input ? inputs[i] : outputs[i - inputs.size()];
    (is_input ? in : out).push_back(graph.persistent(names[i], array.type, array.sizes));
    bound.push_back({names[i].c_str(), array.sizes, program.place(array)});
  }
  graph.node(guid, values, in, out);
  program.must(launch(program, program.stream(), graph.compile(), bound));
  program.must(program.wait(program.stream()));
  std::vector<std::vector<double>> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    results.push_back(
        program.fetch(outputs[i].type, outputs[i].count(), bound[inputs.size() + i].address));
  }
  return results;
}

}  // namespace bertha::standin::test
