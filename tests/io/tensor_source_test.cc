#include "io/weights/tensor_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "damage.h"
#include "io/archive/crc32c.h"
#include "io/archive/snappy.h"
#include "io/byte_order.h"
#include "io/weights/safetensors.h"
#include "io/weights/tf_bundle.h"
#include "io/weights/torch_file.h"
#include "support/files.h"

namespace bertha::io {
namespace {

using namespace std::string_literals;
using test::read_all;
using test::TemporaryFolder;

std::string fingerprint(const std::string& path) {
  const auto source = open_weights(path);
  std::string text;
  for (const TensorInfo& info : source->tensors()) {
    const TensorData data = source->read(info.name);
    text += fmt::format("{} {} {} ", info.name, name_of(info.dtype), shape_string(info.shape));
    text.append(reinterpret_cast<const char*>(data.bytes.data()), data.bytes.size());
  }
  return text;
}

std::string error_of(const std::string& path) {
  try {
    fingerprint(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

NamedSource ramp(const std::string& name, int64_t count, float first) {
  return {name, DType::kF32, {count}, [=](const ByteSink& sink) {
            for (int64_t i = 0; i < count; ++i) {
              const float value = first + static_cast<float>(i);
              sink(std::as_bytes(std::span(&value, 1)));
            }
          }};
}

std::vector<float> read(const TensorSource& source, const std::string& name) {
  const TensorInfo* info = source.find(name);
  if (info == nullptr) fail("no {}", name);
  std::vector<float> values(static_cast<size_t>(element_count(info->shape)));
  source.read_f32(name, values);
  return values;
}

std::string safetensors(const std::string& header, const std::string& data) {
  std::string out;
  store(out, static_cast<uint64_t>(header.size()));
  return out + header + data;
}

TEST(Safetensors, TensorsRoundTrip) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  write_safetensors(path, {ramp("b", 3, 1), ramp("a", 2, 7), ramp("none", 0, 0)});
  const auto source = open_weights(path);
  EXPECT_STREQ(source->format(), "safetensors");
  EXPECT_EQ(source->tensors()[0].name, "b");
  EXPECT_EQ(read(*source, "b"), std::vector<float>({1, 2, 3}));
  EXPECT_EQ(read(*source, "a"), std::vector<float>({7, 8}));
  EXPECT_TRUE(read(*source, "none").empty());
  EXPECT_EQ(SafetensorsFile(path).metadata().at("format"), "pt");
  std::vector<float> wrong(4);
  EXPECT_THROW(source->read_f32("b", wrong), Error);
  EXPECT_THROW(source->read("c"), Error);
  check_damaged(read_all(path), "damaged.safetensors", fingerprint, test::Promise::kNoCrash);
}

TEST(Safetensors, HostileHeadersAreRejected) {
  const std::string good = R"("dtype":"U8","shape":[2],"data_offsets":[0,2])";
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"{", "not JSON"},
      {"{} x", "not JSON"},
      {R"({"a":{)" + good + R"(},"a":{)" + good + "}}", "occurs twice"},
      {R"({"a":{)" + good + R"(,"dtype":"U8"}})", "the key \"dtype\" occurs twice"},
      {R"({"a":{)" + good + R"(,"x":{"y":[1,{}]})", "not JSON"},
      {R"({"a":{"dtype":"U8","shape":[2]}})", "expected dtype, shape and data_offsets"},
      {R"({"a":{"dtype":"C64","shape":[2],"data_offsets":[0,2]}})", "of [2] C64 has 2 bytes"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", "of [3] F4 has 2 bytes"},
      {R"({"a":{"dtype":"X8","shape":[2],"data_offsets":[0,2]}})", "element type X8"},
      {R"({"a":{)" + good + "}}" + std::string(1, '\0'), "a NUL at byte"},
      {"  ", "expected weights"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}})", "has 2 bytes"},
      {R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})", "negative"},
      {R"({"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}})", "fraction"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0]}})", "without exactly two"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2,4]}})", "without exactly two"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", "begin at 0"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "begin at 0"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "the file has 2"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "the file has 2"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,18446744073709551615]}})", "a number"},
      {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "0 bytes"},
      {R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", "0 bytes"},
      {R"({"a":{"dtype":"U8","shape":[[2]],"data_offsets":[0,2]}})", "an array"},
      {R"({"a":{"dtype":{},"shape":[2],"data_offsets":[0,2]}})", "too deep"},
      {R"({"a":[1]})", "an array"},
      {R"({"a":"x"})", "a string"},
      {R"({"a":null})", "null"},
      {R"({"a":{)" + good + R"(},"b":{)" + good + "}}", "expected it to begin at 2"},
      {R"({"__metadata__":{"a":1}})", "a number"},
      {"{" + std::string(100'000, '['), "not JSON"},
  };
  const TemporaryFolder folder;
  const std::string path = folder.file("a.safetensors");
  for (const auto& [header, reason] : headers) {
    test::write_all(path, safetensors(header, "xy"));
    const std::string message = error_of(path);
    EXPECT_NE(message.find("a.safetensors: "), std::string::npos) << header << ": " << message;
    EXPECT_NE(message.find(reason), std::string::npos) << header << ": " << message;
  }
  for (const uint64_t length : {uint64_t{200'000'000}, UINT64_MAX, uint64_t{1000}}) {
    std::string bytes;
    store(bytes, length);
    test::write_all(path, bytes + "{}");
    EXPECT_NE(error_of(path), "") << length;
  }
}

TEST(Safetensors, BlanksAndUnknownKeysAreAcceptedAsTheReferenceDoes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.safetensors");
  const std::string entry = R"("dtype":"U8","shape":[2],"data_offsets":[0,2])";
  const std::vector<std::string> headers = {
      "\t\n {\"a\":{" + entry + "}}\r ", "{\"a\":{\"x\":1," + entry + "}}",
      "{\"a\":{" + entry + R"(,"y":{"dtype":[{"a":null},-1,2.5,true,"F32"]},"z":[]}})"};
  for (const std::string& header : headers) {
    test::write_all(path, safetensors(header, "\x01\x02"));
    EXPECT_EQ(read(*open_weights(path), "a"), (std::vector<float>{1, 2})) << header;
  }
}

TEST(Safetensors, TypesThatAreNotConvertedAreListedAndPassedOver) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.safetensors");
  const std::vector<std::pair<std::string, int>> types = {
      {"I16", 16},    {"U16", 16},    {"U32", 32},    {"U64", 64},        {"C64", 64},
      {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};
  std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  int at = 4;
  for (const auto& [type, bits] : types) {
    header += fmt::format(R"(,"{}":{{"dtype":"{}","shape":[2,4],"data_offsets":[{},{}]}})", type,
                          type, at, at + bits);
    at += bits;
  }
  const float value = 2.5;
  std::string data(reinterpret_cast<const char*>(&value), 4);
  data.resize(static_cast<size_t>(at));
  test::write_all(path, safetensors(header + "}", data));
  const auto source = open_weights(path);
  EXPECT_EQ(read(*source, "w"), std::vector<float>{2.5});
  for (const auto& [type, bits] : types) {
    const TensorInfo* info = source->find(type);
    ASSERT_NE(info, nullptr) << type;
    EXPECT_EQ(info->type_name(), type);
    EXPECT_EQ(info->shape, (std::vector<int64_t>{2, 4}));
    EXPECT_THROW(source->read(type), Error) << type;
  }
}

TEST(Safetensors, ShardsAreReadThroughTheIndex) {
  const TemporaryFolder folder;
  write_safetensors(folder.file("one.safetensors"), {ramp("a", 2, 1)});
  write_safetensors(folder.file("two.safetensors"), {ramp("b", 2, 5)});
  const std::string index = folder.file("model.safetensors.index.json");
  test::write_all(index, R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  const auto source = open_weights(folder.path());
  EXPECT_EQ(read(*source, "a"), std::vector<float>({1, 2}));
  EXPECT_EQ(read(*source, "b"), std::vector<float>({5, 6}));
  for (const char* bad :
       {R"({"weight_map": {"a": "../one.safetensors"}})", R"({"weight_map": {"a": "/etc/passwd"}})",
        R"({"weight_map": {"a": ".."}})", R"({"weight_map": {"c": "one.safetensors"}})",
        R"({"weight_map": {"a": 1}})", R"({"weight_map": []})", "[]", "{", ""}) {
    test::write_all(index, bad);
    EXPECT_NE(error_of(folder.path()).find("index.json: "), std::string::npos) << bad;
  }
}

TEST(OpenWeights, ShardsOfTorchFilesAreReadThroughTheIndex) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3};
  for (const std::string name : {"a", "b"}) {
    TorchWriter writer;
    PickleValue& root = writer.tree().dict();
    const std::vector<int64_t> shape = {3};
    writer.tree().set(root, "module." + name,
                      writer.tensor(DType::kF32, shape, std::as_bytes(std::span(values))));
    writer.save(folder.file("part-" + name + ".bin"), root);
  }
  const std::string index = folder.file("pytorch_model.bin.index.json");
  test::write_all(index, R"({"weight_map": {"module.a": "part-a.bin", "module.b": "part-b.bin"}})");
  const auto source = open_weights(folder.path());
  EXPECT_STREQ(source->format(), "torch");
  EXPECT_EQ(source->tensors().size(), 2U);
  EXPECT_EQ(read(*source, "module.b"), values);
  test::write_all(index, R"({"weight_map": {"a": "part-b.bin"}})");
  EXPECT_NE(error_of(index).find("tensor a is not in part-b.bin"), std::string::npos);
  test::write_all(index, R"({"weight_map": {"a": "pytorch_model.bin.index.json"}})");
  EXPECT_NE(error_of(index).find("not a weight file"), std::string::npos);
}

TEST(OpenWeights, PlainAndWrappedStateDictsAreRead) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  for (const char* key : {"", "model", "state_dict", "model_state_dict", "module", "net", "ema"}) {
    TorchWriter writer;
    PickleTree& tree = writer.tree();
    PickleValue& dict = tree.ordered_dict();
    tree.set(dict, "module.w",
             writer.tensor(DType::kF32, std::vector<int64_t>{2}, std::as_bytes(std::span(values))));
    tree.set(dict, "step", tree.integer(3));
    PickleValue& root = tree.dict();
    if (*key != '\0') tree.set(root, key, dict);
    writer.save(folder.file("pytorch_model.bin"), *key != '\0' ? root : dict);
    const auto source = open_weights(folder.path());
    EXPECT_STREQ(source->format(), "torch");
    ASSERT_EQ(source->tensors().size(), 1U);
    EXPECT_EQ(read(*source, "module.w"), values);
  }
  write_safetensors(folder.file("model.safetensors"), {ramp("w", 1, 9)});
  EXPECT_STREQ(open_weights(folder.path())->format(), "safetensors");
}

TEST(OpenWeights, FolderOfCheckpointsGivesTheNewestThatIsWhole) {
  const TemporaryFolder folder;
  for (const int number : {9, 10}) {
    write_safetensors(folder.file("ckpt_" + std::to_string(number) + ".pt"),
                      {ramp("a", 2, static_cast<float>(number))});
  }
  EXPECT_EQ(open_weights(folder.path().string())->read("a").size(), 2);
  EXPECT_EQ(open_weights(folder.path().string())->path(), folder.file("ckpt_10.pt"));
  test::write_all(folder.file("ckpt_11.pt"), "cut off");
  EXPECT_EQ(open_weights(folder.path().string())->path(), folder.file("ckpt_10.pt"));
  write_safetensors(folder.file("model.safetensors"), {ramp("b", 3, 0)});
  EXPECT_EQ(open_weights(folder.path().string())->path(), folder.file("model.safetensors"))
      << "a model that was fine-tuned into the folder";
}

TEST(OpenWeights, ErrorsNameWhatWasFound) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of(folder.path()).find("the folder has neither"), std::string::npos);
  EXPECT_NE(error_of(folder.file("no")).find("No such file"), std::string::npos);
  test::write_all(folder.file("x"), "hello, this is no model");
  EXPECT_NE(error_of(folder.file("x")).find("expected weights"), std::string::npos);
  TorchWriter writer;
  PickleTree& tree = writer.tree();
  writer.save(folder.file("l.pt"), tree.list());
  EXPECT_NE(error_of(folder.file("l.pt")).find("found a list"), std::string::npos);
  writer.save(folder.file("o.pt"), tree.object("os.system", tree.tuple()));
  EXPECT_NE(error_of(folder.file("o.pt")).find("found an object of os.system"), std::string::npos);
  writer.save(folder.file("d.pt"), tree.dict());
  EXPECT_NE(error_of(folder.file("d.pt")).find("a dict without tensors"), std::string::npos);
  PickleValue& keys = tree.dict();
  tree.set(keys, "model", tree.list());
  tree.set(keys, "epoch", tree.integer(3));
  writer.save(folder.file("k.pt"), keys);
  EXPECT_NE(error_of(folder.file("k.pt"))
                .find("its keys are \"model\" (a list), \"epoch\" (the integer 3)"),
            std::string::npos);
}

TEST(OpenWeights, FilesOfOtherKindsAreNamedForWhatTheyAre) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer"},
      {"\n<!DOCTYPE html>\n<html></html>", "a web page"},
      {"<html lang=\"en\">", "a web page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "a web page"},
      {"\x89HDF\r\n\x1a\n" + std::string(90, '\0'), "an HDF5 file, as tf_model.h5 of Keras"},
      {std::string(257, 'x') + "ustar" + std::string(300, '\0'), "a tar archive"},
      {"\x1f\x8b\b more", "compressed with gzip"},
      {"GGUF....", "a GGUF file"},
      {"", "an empty file"}};
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  for (const auto& [contents, meaning] : files) {
    test::write_all(path, contents);
    const std::string message = error_of(path);
    EXPECT_NE(message.find("expected weights"), std::string::npos) << message;
    EXPECT_NE(message.find("; this is " + meaning), std::string::npos) << message;
  }
  std::filesystem::remove(path);
  test::write_all(folder.file("tf_model.h5"), "x");
  test::write_all(folder.file("onnx/model.onnx"), "x");
  EXPECT_NE(error_of(folder.path()).find("it has tf_model.h5, onnx/model.onnx"), std::string::npos);
}

TEST(OpenWeights, CodeInACheckpointIsNamedAndNeverRun) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  TorchWriter writer;
  PickleTree& tree = writer.tree();
  PickleValue& dict = tree.ordered_dict();
  tree.set(dict, "w",
           writer.tensor(DType::kF32, std::vector<int64_t>{2}, std::as_bytes(std::span(values))));
  PickleValue& arguments = tree.tuple();
  arguments.append(tree.string("touch " + folder.file("ran")));
  tree.set(dict, "evil", tree.object("posix.system", arguments));
  tree.set(dict, "again", tree.object("posix.system", arguments));
  tree.set(dict, "args", tree.object("argparse.Namespace", tree.tuple()));
  tree.set(dict, "size", tree.object("torch.Size", tree.tuple()));
  writer.save(folder.file("a.pt"), dict);
  const auto source = open_weights(folder.file("a.pt"));
  EXPECT_EQ(read(*source, "w"), values);
  EXPECT_EQ(source->refused_globals(),
            (std::vector<std::string>{"posix.system", "argparse.Namespace"}));
  EXPECT_FALSE(std::filesystem::exists(folder.file("ran")));
}

TEST(Convert, EveryHalfRoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float sign = (bits & 0x8000U) != 0 ? -1.F : 1.F;
    const int exponent = static_cast<int>(bits >> 10U & 31U);
    const auto fraction = static_cast<float>(bits & 1023U);
    const float value = half_to_float(static_cast<uint16_t>(bits));
    if (exponent == 31 && fraction > 0) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else if (exponent == 31) {
      EXPECT_EQ(value, sign * std::numeric_limits<float>::infinity()) << bits;
    } else {
      const float expected =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      EXPECT_EQ(value, sign * expected) << bits;
      EXPECT_EQ(std::signbit(value), sign < 0) << bits;
    }
  }
}

TEST(Snappy, LiteralsAndCopiesAreExpanded) {
  const auto expand = [](const std::string& block) -> std::string {
    const auto out = snappy_expand(block, 1000);
    return out ? std::string(out->begin(), out->end()) : "damaged";
  };
  EXPECT_EQ(expand("\x05\x10hello"), "hello");
  EXPECT_EQ(expand("\x0a\x04xy\x11\x02"), "xyxyxyxyxy");     // copy of 8, short form
  EXPECT_EQ(expand("\x0a\x04xy\x1d\x02"), "damaged");        // 11 bytes, but 10 are stated
  EXPECT_EQ(expand("\x0a\x04xy\x1e\x02\0"s), "xyxyxyxyxy");  // overlapping copy of 8
  EXPECT_EQ(expand("\x06\x04xy\x01\x02"), "xyxyxy");         // copy of 4, short form
  EXPECT_EQ(expand("\x06\x04xy\x0f\x02\0\0\0"s), "xyxyxy");  // long form
  EXPECT_EQ(expand("\x06\x04xy\x01\x03"), "damaged");        // before the start
  EXPECT_EQ(expand("\x06\x04xy\x01\x00"s), "damaged");       // offset 0
  EXPECT_EQ(expand("\x05\xf0\x04hello"), "hello");           // length in one more byte
  EXPECT_EQ(expand("\x05\x10hell"), "damaged");
  EXPECT_EQ(expand("\xff\xff\xff\xff\x0f"), "damaged");
  EXPECT_EQ(expand("\x05\xfc\xff\xff\xff\xff"), "damaged");
  EXPECT_EQ(expand(""), "damaged");
  EXPECT_EQ(expand("\0"s), "");
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
  out += static_cast<char>(value);
}

std::string with_length(char tag, const std::string& bytes) {
  std::string out(1, tag);
  append_varint(out, bytes.size());
  return out + bytes;
}

/// Appends a block and returns its handle.
std::string append_block(std::string& file, std::string block, bool snappy) {
  if (snappy) {
    std::string packed;
    append_varint(packed, block.size());
    packed += '\xf4';  // a literal; its length minus one in two bytes
    store(packed, static_cast<uint16_t>(block.size() - 1));
    block = packed + block;
  }
  std::string handle;
  append_varint(handle, file.size());
  append_varint(handle, block.size());
  block += snappy ? '\1' : '\0';
  file += block;
  store(file, masked_crc32c(crc32c(block)));
  return handle;
}

std::string table_entry(uint64_t shared, const std::string& key, const std::string& value) {
  std::string out;
  append_varint(out, shared);
  append_varint(out, key.size());
  append_varint(out, value.size());
  return out + key + value;
}

/// A bundle of two shards: "net/a" = {1, 2} and "net/b" = {3}, with a string tensor between them.
void write_bundle(const std::string& prefix, bool snappy) {
  const auto data = [&](const std::string& shard, const std::vector<float>& values) {
    const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size() * 4);
    test::write_all(prefix + ".data-0000" + shard + "-of-00002", bytes);
    return bytes;
  };
  const auto proto = [&](const std::string& shape, int shard, const std::string& bytes, int type) {
    std::string out = "\x08"s + static_cast<char>(type) + with_length('\x12', shape);
    out += "\x18"s + static_cast<char>(shard) + "\x28" + static_cast<char>(bytes.size()) + "\x35";
    store(out, masked_crc32c(crc32c(bytes)));
    return out;
  };
  std::string block = table_entry(0, "", "\x08\x02\x1a\x02\x08\x01");
  block += table_entry(0, "net/a", proto("\x12\x02\x08\x02", 0, data("0", {1, 2}), 1));
  block += table_entry(4, "ab", proto("", 0, "", 7));
  block += table_entry(4, "b", proto("\x12\x02\x08\x01", 1, data("1", {3}), 1));
  block += std::string("\0\0\0\0\1\0\0\0", 8);
  std::string file;
  const std::string handle = append_block(file, block, snappy);
  const std::string restarts("\0\0\0\0\1\0\0\0", 8);
  const std::string meta = append_block(file, restarts, false);
  const std::string index = append_block(file, table_entry(0, "o", handle) + restarts, false);
  std::string footer = meta + index;
  footer.resize(40, '\0');
  store(footer, uint64_t{0xdb4775248b80fb57U});
  test::write_all(prefix + ".index", file + footer);
}

TEST(TfBundle, PlainAndSnappyBlocksAreRead) {
  const TemporaryFolder folder;
  for (const bool snappy : {false, true}) {
    write_bundle(folder.file("bert_model.ckpt"), snappy);
    for (const std::string& path : {folder.path().string(), folder.file("bert_model.ckpt"),
                                    folder.file("bert_model.ckpt.index")}) {
      const auto source = open_weights(path);
      EXPECT_STREQ(source->format(), "tensorflow");
      ASSERT_EQ(source->tensors().size(), 2U);
      EXPECT_EQ(read(*source, "net/a"), std::vector<float>({1, 2}));
      EXPECT_EQ(read(*source, "net/b"), std::vector<float>({3}));
    }
    EXPECT_EQ(TfBundle(folder.file("bert_model.ckpt")).skipped(),
              std::vector<std::string>({"net/ab"}));
  }
}

TEST(TfBundle, DamageIsDetected) {
  const TemporaryFolder folder;
  const std::string prefix = folder.file("x.ckpt");
  write_bundle(prefix, true);
  // The copy under test is in a folder of its own; its data is copied from this one.
  const auto reader = [&](const std::string& path) {
    for (const char* shard : {".data-00000-of-00002", ".data-00001-of-00002"}) {
      const std::string copy = path.substr(0, path.size() - 6) + shard;
      if (!std::filesystem::exists(copy)) test::write_all(copy, read_all(prefix + shard));
    }
    return fingerprint(path);
  };
  check_damaged(read_all(prefix + ".index"), "damaged.index", reader, test::Promise::kErrorOrEqual);
  std::string data = read_all(prefix + ".data-00000-of-00002");
  for (size_t i = 0; i < data.size(); ++i) {
    std::string damaged = data;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    test::write_all(prefix + ".data-00000-of-00002", damaged);
    EXPECT_NE(error_of(prefix).find("net/a is damaged"), std::string::npos) << i;
  }
  test::write_all(prefix + ".data-00000-of-00002", data.substr(1));
  EXPECT_NE(error_of(prefix).find("the file has 7"), std::string::npos) << error_of(prefix);
}

TEST(OpenWeights, RealTensorFlowBundleIsRead) {
  const std::string folder = test::real_data("checkpoints/keras-bert-toy-ckpt");
  if (folder.empty()) GTEST_SKIP() << "no real data";
  const TfBundle bundle(folder + "/bert_model.ckpt");
  const auto listing =
      nlohmann::json::parse(read_all(folder + "/bert_model.ckpt.index.listing.json"));
  ASSERT_EQ(bundle.entries().size() + bundle.skipped().size(), listing.size());
  for (const TfBundle::Entry& entry : bundle.entries()) {
    const auto known = std::find_if(listing.begin(), listing.end(),
                                    [&](const auto& item) { return item["name"] == entry.name; });
    ASSERT_NE(known, listing.end()) << entry.name;
    EXPECT_EQ((*known)["shape"].get<std::vector<int64_t>>(), entry.shape) << entry.name;
    EXPECT_EQ((*known)["offset"].get<uint64_t>(), entry.offset) << entry.name;
    EXPECT_EQ((*known)["crc32c_masked"].get<uint32_t>(), entry.masked_crc) << entry.name;
    EXPECT_EQ(bundle.tensor(entry).bytes.size(), entry.size_bytes) << entry.name;
  }
}

TEST(OpenWeights, RealSafetensorsFileIsRead) {
  const std::string folder = test::real_data("checkpoints/all-MiniLM-L6-v2");
  if (folder.empty()) GTEST_SKIP() << "no real data";
  const auto source = open_weights(folder);
  const TensorInfo* words = source->find("embeddings.word_embeddings.weight");
  ASSERT_NE(words, nullptr);
  EXPECT_EQ(words->shape, (std::vector<int64_t>{30522, 384}));
  const std::vector<float> norm = read(*source, "embeddings.LayerNorm.weight");
  EXPECT_EQ(norm.size(), 384U);
  EXPECT_GT(norm[0], 0.1F);
}

}  // namespace
}  // namespace bertha::io
