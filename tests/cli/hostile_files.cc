#include "cli/hostile_files.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <array>
#include <cstdint>
#include <span>

#include "io/archive/crc32.h"
#include "io/archive/crc32c.h"
#include "io/byte_order.h"

namespace bertha::test {
namespace {

using namespace std::string_literals;
using io::store;

template <typename T>
std::string number(T value) {
  std::string bytes;
  store(bytes, value);
  return bytes;
}

std::string text(const std::string& value) {
  return "X" + number(static_cast<uint32_t>(value.size())) + value;
}

// ---- zip archives ------------------------------------------------------------------------------

struct Entry {
  std::string name;
  std::string data;
  uint16_t method = 0;
  uint32_t size = 0;  ///< 0: that of the data
  uint32_t crc_off = 0;
  uint16_t flags = 0;
  std::string local_name = name;
};

std::string zip(const std::vector<Entry>& entries, uint32_t shift = 0, uint16_t more = 0) {
  std::string out;
  std::string directory;
  for (const Entry& e : entries) {
    const auto packed = static_cast<uint32_t>(e.data.size());
    const uint32_t size = e.size == 0 ? packed : e.size;
    const uint32_t crc = io::crc32(std::as_bytes(std::span(e.data))) + e.crc_off;
    const auto offset = static_cast<uint32_t>(out.size()) + shift;
    std::string common = number(uint16_t{20}) + number(e.flags) + number(e.method) +
                         number(uint32_t{0}) + number(crc) + number(packed) + number(size) +
                         number(static_cast<uint16_t>(e.name.size())) + number(uint16_t{0});
    out += "PK\3\4" + common + e.local_name + e.data;
    directory +=
        "PK\1\2" + number(uint16_t{20}) + common + std::string(10, '\0') + number(offset) + e.name;
  }
  const auto start = static_cast<uint32_t>(out.size());
  const auto count = static_cast<uint16_t>(entries.size() + more);
  return out + directory + "PK\5\6" + std::string(4, '\0') + number(count) + number(count) +
         number(static_cast<uint32_t>(directory.size())) + number(start) + number(uint16_t{0});
}

/// A file of torch.save around a pickle, with one storage of 24 bytes.
std::string torch_file(const std::string& pickle) {
  return zip({{"x/data.pkl", pickle}, {"x/data/0", std::string(24, '\0')}, {"x/version", "3\n"}});
}

std::string deflate(const std::string& data) {
  auto* compressor = libdeflate_alloc_compressor(6);
  std::string out(libdeflate_deflate_compress_bound(compressor, data.size()), '\0');
  out.resize(
      libdeflate_deflate_compress(compressor, data.data(), data.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

// ---- pickles -----------------------------------------------------------------------------------

/// "ctorch\nFloatStorage\n" and the like.
std::string global(const std::string& name) {
  const size_t dot = name.rfind('.');
  return "c" + name.substr(0, dot) + "\n" + name.substr(dot + 1) + "\n";
}

std::string stack_global(const std::string& name) {
  const size_t dot = name.rfind('.');
  return text(name.substr(0, dot)) + text(name.substr(dot + 1)) + "\x93";
}

std::string storage(const std::string& type, const std::string& key, const std::string& count) {
  return "(" + text("storage") + type + text(key) + text("cpu") + count + "tQ";
}

std::string good_storage() {
  return storage(global("torch.FloatStorage"), "0", "K\6");
}

/// {"w": torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, {})}.
std::string tensor_dict(const std::string& from, const std::string& offset, const std::string& size,
                        const std::string& stride) {
  return "\x80\2}" + text("w") + global("torch._utils._rebuild_tensor_v2") + "(" + from + offset +
         size + stride + "\x89}tRs.";
}

using Files = std::vector<HostileFile>;

void add(Files& all, const std::string& family, const std::string& target,
         std::map<std::string, std::string> files) {
  all.push_back({fmt::format("{:03}-{}", all.size(), family), target, std::move(files)});
}

void add_pickle(Files& all, const std::string& family, const std::string& pickle) {
  add(all, family, "x.pt", {{"x.pt", torch_file(pickle)}});
}

/// Every way to call each of these; the argument would leave a trace.
void add_calls(Files& all) {
  for (const char* name : {"os.system",
                           "posix.system",
                           "nt.system",
                           "subprocess.Popen",
                           "subprocess.call",
                           "builtins.eval",
                           "builtins.exec",
                           "__builtin__.eval",
                           "builtins.getattr",
                           "builtins.__import__",
                           "runpy._run_code",
                           "torch.load",
                           "torch.jit.load",
                           "torch.hub.load",
                           "pickle.loads",
                           "shutil.rmtree",
                           "socket.socket",
                           "webbrowser.open",
                           "operator.methodcaller",
                           "torch.serialization._load"}) {
    const std::string command = text("touch /tmp/owned");
    const std::string model = "\x80\4}" + text("model");
    add_pickle(all, "reduce", "\x80\2" + global(name) + command + "\x85R.");
    add_pickle(all, "stack-global", model + stack_global(name) + command + "\x85Rs.");
    add_pickle(all, "newobj", model + global(name) + command + "\x85\x81s.");
    add_pickle(all, "newobj-ex", model + global(name) + command + "\x85}\x92s.");
    add_pickle(all, "build", model + global(name) + ")R" + command + "bs.");
    add_pickle(all, "inst", "(" + command + "i" + global(name).substr(1) + ".");
    add_pickle(all, "obj", "(" + global(name) + command + "o.");
    add_pickle(all, "in-tensor",
               tensor_dict(global(name) + command + "\x85R", "K\0"s, "K\6\x85", "K\1\x85"));
  }
}

void add_opcodes(Files& all) {
  for (const std::string& code : {"\x82\1"s, "\x83\1\1"s, "\x84\1\0\0\0"s, "Pstorage\n"s, "g0\n"s,
                                  "p0\n"s, "I1\n"s, "L1L\n"s, "S'x'\n"s, "Vx\n"s, "N2"s, "\x97"s}) {
    add_pickle(all, "opcode", "\x80\2" + code + ".");
  }
  for (const char* code : {"X", "T", "B", "\x8b", "\x8d", "\x8e", "\x96", "\x95"}) {
    add_pickle(all, "length", "\x80\4"s + code + std::string(8, '\x7f') + ".");
  }
}

void add_floods(Files& all) {
  const size_t count = 3'000'000;
  for (const char code : {'(', 'N', ')', ']', '}', '\x88'}) {
    add_pickle(all, "flood", "\x80\2" + std::string(count, code));
  }
  add_pickle(all, "nested-tuples", "\x80\2N" + std::string(count, '\x85') + ".");
  add_pickle(all, "nested-lists",
             "\x80\2" + std::string(count, ']') + std::string(count - 1, 'a') + ".");
  add_pickle(all, "memo-flood", "\x80\4N" + std::string(count, '\x94') + ".");
  std::string gets = "\x80\2]q\0("s;
  for (size_t i = 0; i < count; ++i) gets += "h\0"s;
  add_pickle(all, "memo-bomb", gets + "t.");
  add_pickle(all, "memo-index", "\x80\2Nr" + number(uint32_t{0xfffffff0}) + ".");
  std::string doubling = "\x80\2)q\0"s;
  for (int i = 0; i < 100; ++i) {
    doubling += "h"s + static_cast<char>(i) + "\x86q" + static_cast<char>(i + 1);
  }
  add_pickle(all, "memo-doubling", doubling + ".");
  add_pickle(all, "loop", "\x80\2}q\0"s + text("model") + "h\0s."s);
  std::string pairs = "\x80\2" + global("collections.OrderedDict") + "q\0]q\1("s;
  for (int i = 0; i < 20'000; ++i) pairs += "NN\x86";
  pairs += "e\x85q\2("s;
  for (int i = 0; i < 5'000; ++i) pairs += "h\0h\2R"s;
  add_pickle(all, "dict-bomb", pairs + "t.");
  add_pickle(all, "long-name", "\x80\2" + global("os." + std::string(20'000'000, 'x')) + ".");
  std::string names = "\x80\4" + text(std::string(4'000, 'x')) + "q\0("s;
  for (int i = 0; i < 50'000; ++i) names += "h\0U\1x\x93"s;
  add_pickle(all, "name-bomb", names + "t.");
}

/// CVE-2026-24747 and its kin: what a tensor says of its storage is not so; items are put where
/// none belong.
void add_lies(Files& all) {
  const std::string zero = "K\0"s;
  const std::string six = "K\6\x85";
  const std::string one = "K\1\x85";
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  const std::string from = good_storage();
  const auto lie = [&](const std::string& offset, const std::string& size,
                       const std::string& stride) {
    add_pickle(all, "tensor-lie", tensor_dict(from, offset, size, stride));
  };
  lie(zero, "K\7\x85", one);                // one element too many
  lie("K\1", six, one);                     // past the end by its offset
  lie("J\xff\xff\xff\xff", six, one);       // before the start
  lie(huge, six, one);                      // offset that overflows
  lie(zero, huge + "\x85", one);            // size that overflows
  lie(zero, six, huge + "\x85");            // stride that overflows
  lie(zero, six, "J\xff\xff\xff\xff\x85");  // backwards
  lie(zero, "J\xff\xff\xff\xff\x85", one);  // a negative size
  lie(zero, huge + huge + "\x86", "K\0K\0\x86"s);
  lie(zero, "J\0\0\0\x10\x85"s, "K\0\x85"s);  // 2^28 times the same element
  lie(zero, six, "K\1K\1\x86");               // more strides than dimensions
  lie(zero, "(" + std::string(80, '\x88') + "t", one);
  lie("G" + std::string(8, '\x41'), six, one);  // a fraction
  lie(text("0"), six, one);
  lie(zero, "]", one);
  for (const std::string& bad :
       {storage(global("torch.FloatStorage"), "1", "K\6"),     // no such storage
        storage(global("torch.FloatStorage"), "../x", "K\6"),  // a path
        storage(global("torch.DoubleStorage"), "0", "K\6"),    // 48 bytes in 24
        storage(global("os.system"), "0", "K\6"),              // a class that is none
        storage(global("torch.QInt9Storage"), "0", "K\6"),     // one not known
        storage(text("torch.FloatStorage"), "0", "K\6"),       // a string for a class
        "(" + text("module") + global("torch.FloatStorage") + text("0") + "NNtQ",
        "(" + text("storage") + "tQ", text("storage") + "Q", "NQ"s, ")Q"s,
        global("os.system") + "Q", "N"s, "K\1"s, text("x"), "}"s}) {
    add_pickle(all, "persistent-id", tensor_dict(bad, zero, six, one));
  }
  for (const char* items :
       {"N(NNu", ")(NNu", "](NNu", "K\1NNs", ")Na", "}Na", "NNa", "}(Nu", "N)b", "K\1}b"}) {
    add_pickle(all, "setitem", "\x80\2"s + items + ".");
  }
  const std::string tensor = tensor_dict(from, zero, six, one);
  const std::string inner = tensor.substr(0, tensor.size() - 2);
  add_pickle(all, "setitem", inner + "(NNu" + "0.");  // onto a tensor, and away with it
  std::string many = "\x80\2}("s;
  for (int i = 0; i < 5'000; ++i) {
    many += text(std::to_string(i)) + global("torch._utils._rebuild_tensor_v2") + "(" + from +
            zero + "J\xff\xff\x3f\0\x85"s + "K\0\x85"s + "\x89}tR";
  }
  add_pickle(all, "expanded", many + "u.");
}

void add_archives(Files& all) {
  const auto pt = [&](const std::string& family, const std::string& bytes) {
    add(all, family, "x.pt", {{"x.pt", bytes}});
  };
  for (const char* name : {"../x", "/etc/passwd", "x/../../data.pkl", "x\\..\\y", "..", ""}) {
    pt("zip-slip", zip({{"x/data.pkl", "}."}, {name, "data"}}));
  }
  const Entry pickle{"x/data.pkl", "}."};
  pt("twins", zip({pickle, pickle}));
  pt("two-pickles", zip({pickle, {"y/data.pkl", "}."}}));
  pt("no-pickle", zip({{"x/code/__torch__.py", "import os"}}));
  // CVE-2025-32434 came by way of TorchScript archives and tar files inside torch.load.
  pt("torchscript", zip({{"x/data.pkl", "\x80\2" + global("__torch__.Model") + ")\x81}b."},
                         {"x/code/__torch__.py", "op = ops.aten.from_file('/etc/passwd')"},
                         {"x/constants.pkl", "\x80\2)."}}));
  std::string tar(1024, '\0');
  tar.replace(0, 8, "storages");
  tar.replace(257, 5, "ustar");
  pt("tar", tar);
  pt("sum", zip({{"x/data.pkl", "}.", 0, 0, 1}}));
  pt("sizes", zip({{"x/data.pkl", "}.", 0, 7}}));
  pt("method", zip({{"x/data.pkl", "}.", 12}}));
  pt("encrypted", zip({{"x/data.pkl", "}.", 0, 0, 0, 1}}));
  pt("local-name", zip({{"x/data.pkl", "}.", 0, 0, 0, 0, "y/data.pkl"}}));
  pt("offset", zip({pickle}, 9));
  pt("offset", zip({pickle}, 0xfffffff0U));
  pt("count", zip({pickle}, 0, 7));
  pt("zip64", zip({{"x/data.pkl", "}.", 0, 0xffffffffU}}));
  pt("overlap", [&] {
    std::string bytes = zip({{"x/data.pkl", "}."}, {"x/data/0", zip({pickle})}});
    const size_t at = bytes.rfind("x/data/0");
    bytes.replace(at - 4, 4, number(uint32_t{0}));  // where the first one is
    return bytes;
  }());
  const std::string zeros = deflate(std::string(60'000'000, '\0'));
  pt("zip-bomb", zip({{"x/data.pkl", zeros, 8, 60'000'000}}));
  pt("zip-bomb", zip({{"x/data.pkl", zeros, 8, 0xfffffff0U}}));
  pt("zip-bomb", zip({{"x/data.pkl", "}."}, {"x/data/0", zeros, 8, 60'000'000}}));
  std::vector<Entry> bombs = {pickle};
  const std::string small = deflate(std::string(5'000'000, '\0'));
  for (int i = 0; i < 20; ++i) {
    bombs.push_back({"x/data/" + std::to_string(i), small, 8, 5'000'000});
  }
  pt("zip-bomb", zip(bombs));
  pt("cut", zip({pickle}).substr(0, 60));
  pt("empty", "PK\5\6" + std::string(18, '\0'));
  pt("ends", "PK\3\4" + std::string(1'000'000, 'P'));
}

void add_legacy(Files& all) {
  const std::string magic = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const std::string protocol = "\x80\2M\xe9\3.";
  const std::string system = "\x80\2}" + text("little_endian") + "\x88s.";
  const std::string tensor = tensor_dict(good_storage(), "K\0"s, "K\6\x85", "K\1\x85");
  const std::string keys = "\x80\2]" + text("0") + "a.";
  const auto pt = [&](const std::string& bytes) {
    add(all, "legacy", "x.pt", {{"x.pt", magic + bytes}});
  };
  pt("");
  pt("\x80\2K\1.");
  pt(protocol + "\x80\2}" + text("little_endian") + "\x89s.");
  pt(protocol + system + "\x80\2" + global("os.system") + text("x") + "\x85R." + "\x80\2].");
  pt(protocol + system + tensor + keys + number(uint64_t{1} << 60));
  pt(protocol + system + tensor + keys + number(uint64_t{6}) + "short");
  pt(protocol + system + tensor + "\x80\2]" + text("9") + "a." + number(uint64_t{6}));
  pt(protocol + system + tensor + "\x80\2].");
}

void add_safetensors(Files& all) {
  const auto file = [&](const std::string& header, const std::string& data = "12345678") {
    add(all, "safetensors", "x.safetensors",
        {{"x.safetensors", number(static_cast<uint64_t>(header.size())) + header + data}});
  };
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& at) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + at +
           "}}";
  };
  file(one("F32", "[2]", "[0,9]"));
  file(one("F32", "[3]", "[0,8]"));
  file(one("F32", "[2]", "[8,0]"));
  file(one("F32", "[1]", "[4,8]"));
  file(one("F32", "[2]", "[0,18446744073709551615]"));
  file(one("F32", "[-2]", "[0,8]"));
  file(one("F32", "[2.5]", "[0,8]"));
  file(one("F32", "[9223372036854775807,9223372036854775807]", "[0,8]"));
  file(one("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"));
  file(one("F9", "[2]", "[0,8]"));
  file(one("F32", "[[2]]", "[0,8]"));
  file(one("F32", "2", "[0,8]"));
  file(one("F32", "[2]", "[0]"));
  file(one("F32", "[2]", "{}"));
  file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"run":"x","shape":[2]}})");
  file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"run":[{"b":]}})");
  file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})");
  file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})");
  file(R"({"a":{}})");
  file(R"({"__metadata__":{"x":{}}})");
  file("{" + std::string(2'000'000, '['));
  file("{\"a\":" + std::string(1'000'000, '['));
  std::string deep;
  for (int i = 0; i < 500'000; ++i) deep += "{\"a\":";
  file(deep);
  file("{\"" + std::string(5'000'000, 'x'));
  std::string notes = "{\"__metadata__\":{";
  for (int i = 0; i < 300'000; ++i) notes += "\"" + std::to_string(i) + "\":\"\",";
  file(notes);
  std::string many = "{";
  for (int i = 0; i < 70'000; ++i) {
    many += fmt::format(R"("{}":{{"dtype":"F32","shape":[],"data_offsets":[0,0]}},)", i);
  }
  file(many);
  for (const uint64_t length : {uint64_t{1} << 40, UINT64_MAX, uint64_t{90'000'000}}) {
    add(all, "safetensors", "x.safetensors", {{"x.safetensors", number(length) + "{}"}});
  }
}

void add_indexes(Files& all) {
  const std::string nested(600'000, '[');
  std::string many = R"({"weight_map":{)";
  for (int i = 0; i < 100'000; ++i) many += fmt::format(R"("{}":"x",)", i);
  for (const std::string& json :
       {R"({"weight_map":{"a":"../x.safetensors"}})"s, R"({"weight_map":{"a":"/etc/passwd"}})"s,
        R"({"weight_map":{"a":".."}})"s, R"({"weight_map":{"a":"."}})"s,
        R"({"weight_map":{"a":"model.safetensors.index.json"}})"s, R"({"weight_map":{"a":1}})"s,
        R"({"weight_map":[]})"s, R"({"weight_map":{}})"s, R"({})"s, "[]"s, ""s, nested, many}) {
    add(all, "index", "", {{"model.safetensors.index.json", json}});
  }
}

// ---- TensorFlow bundles ------------------------------------------------------------------------

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
  return out + static_cast<char>(value);
}

std::string row(uint64_t shared, const std::string& key, const std::string& value) {
  return varint(shared) + varint(key.size()) + varint(value.size()) + key + value;
}

std::string append_block(std::string& file, const std::string& block, char packed = 0) {
  const std::string handle = varint(file.size()) + varint(block.size());
  const std::string whole = block + packed;
  file += whole + number(io::masked_crc32c(io::crc32c(whole)));
  return handle;
}

const std::string kRestarts("\0\0\0\0\1\0\0\0", 8);

std::string footer(const std::string& meta, const std::string& index) {
  std::string out = meta + index;
  out.resize(40, '\0');
  return out + number(uint64_t{0xdb4775248b80fb57U});
}

std::string table(const std::string& rows, char packed = 0) {
  std::string file;
  const std::string handle = append_block(file, packed != 0 ? rows : rows + kRestarts, packed);
  const std::string index = append_block(file, row(0, "z", handle) + kRestarts);
  return file + footer(handle, index);
}

void add_bundles(Files& all) {
  const std::string header = row(0, "", "\x08\x01");
  const auto bundle = [&](const std::string& index) {
    add(all, "tensorflow", "x.ckpt",
        {{"x.ckpt.index", index}, {"x.ckpt.data-00000-of-00001", "12345678"}});
  };
  const auto entry = [&](const std::string& proto) { bundle(table(header + row(0, "a", proto))); };
  const std::string shape = "\x12\x04\x12\x02\x08\x02";
  entry("\x08\x01" + shape + "\x28\x09");                          // nine bytes of two
  entry("\x08\x01" + shape + "\x18\x05\x28\x08");                  // shard 5 of 1
  entry("\x08\x01" + shape + "\x20\xff\xff\xff\xff\x7f\x28\x08");  // far away
  entry("\x08\x01" + shape + "\x28\x08\x3a\x00"s);                 // a slice
  entry("\x08\x01\x12\x0d\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x28\x08");
  entry("\x08\x01" + shape + "\x28\x08\x35" + number(uint32_t{1}));  // a wrong sum
  entry("\x08");
  entry("\x12\x7f");
  bundle(table(row(0, "", "\x08\x00"s)));
  bundle(table(row(0, "", "\x08\xff\xff\xff\x0f")));  // shards without end
  bundle(table(row(0, "", "\x08\x01\x10\x01")));      // big-endian
  bundle(table(row(0, "a", "")));                     // no header
  bundle(table(header + row(0, "b", "") + row(0, "a", "")));
  bundle(table(header + row(9, "a", "")));
  bundle(table(""));
  bundle(table("\xff\xff\xff\xff\x0f", 1));  // Snappy: 4 GiB of it
  bundle(table("\x80\x80\x80\x08\x01"s, 1));
  bundle(table(header, 7));
  bundle(std::string(40, '\0') + number(uint64_t{0xdb4775248b80fb57U}));
  bundle(std::string(48, 'x'));
  bundle("");
  bundle(footer("", varint(UINT64_MAX) + varint(UINT64_MAX - 4)));
  std::string names = header + row(0, std::string(60'000, 'a'), "\x08\x07");
  for (int i = 0; i < 30'000; ++i) names += row(60'000 + static_cast<uint64_t>(i), "b", "\x08\x07");
  bundle(table(names));
  std::string many = header;
  for (int i = 0; i < 200'000; ++i) many += row(0, fmt::format("{:06}", i), "\x08\x07");
  bundle(table(many));
  std::string file;
  const std::string idle =
      append_block(file, std::string(200'000, '\0') + number(uint32_t{50'000}));
  std::string again;
  for (int i = 0; i < 100'000; ++i) again += row(0, fmt::format("{:06}", i), idle);
  const std::string index = append_block(file, again + kRestarts);
  bundle(file + footer(idle, index));
}

void add_configs(Files& all) {
  // What lies beside it is a good file.
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string weights = number(static_cast<uint64_t>(header.size())) + header + "12345678";
  const std::string rest =
      R"("num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":8,"vocab_size":9})";
  for (const std::string& config :
       {""s, "[]"s, "{"s, "{}"s, "null"s, R"({"hidden_size":-4,)" + rest,
        R"({"hidden_size":1e300,)" + rest, R"({"hidden_size":99999999999999999999,)" + rest,
        R"({"hidden_size":"4",)" + rest, R"({"hidden_size":5,)" + rest,
        R"({"hidden_size":4,"hidden_act":"os.system",)" + rest,
        R"({"hidden_size":4,"layer_norm_eps":"x",)" + rest,
        R"({"hidden_size":4,"hidden_dropout_prob":2,)" + rest,
        R"({"hidden_size":4,"max_position_embeddings":9007199254740993,)" + rest,
        R"({"hidden_size":4,"type_vocab_size":0,)" + rest, std::string(500'000, '['),
        "{\"a\":" + std::string(400'000, '['), std::string(4'000'000, ' ')}) {
    add(all, "config", "", {{"model.safetensors", weights}, {"config.json", config}});
  }
}

}  // namespace

std::vector<HostileFile> hostile_files() {
  Files all;
  add_calls(all);
  add_opcodes(all);
  add_floods(all);
  add_lies(all);
  add_archives(all);
  add_legacy(all);
  add_safetensors(all);
  add_indexes(all);
  add_bundles(all);
  add_configs(all);
  return all;
}

}  // namespace bertha::test
