#include "io/weights/torch_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "core/error.h"
#include "damage.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::io {
namespace {

using test::read_all;
using test::TemporaryFolder;

std::string fixture(const std::string& name) {
  return test::tests_path("io/data/") + name;
}

std::vector<float> floats(const TensorData& data) {
  std::vector<float> values(static_cast<size_t>(data.size()));
  convert_to_f32(data, values);
  return values;
}

std::vector<float> arange(int begin, int end, int step = 1) {
  std::vector<float> values;
  for (int i = begin; i < end; i += step) values.push_back(static_cast<float>(i) / 8);
  return values;
}

/// All names, types, shapes and bytes of the tensors under "model".
std::string fingerprint(const std::string& path) {
  const TorchFile file(path);
  file.verify();
  const auto items = file.root().at("model", path).items();
  std::string text;
  for (size_t i = 0; i < items.size(); i += 2) {
    const TensorData data = file.tensor(*items[i + 1], items[i]->text());
    text +=
        fmt::format("{} {} {} ", items[i]->text(), name_of(data.dtype), shape_string(data.shape));
    text.append(reinterpret_cast<const char*>(data.bytes.data()), data.bytes.size());
  }
  return text;
}

class TorchFixture : public testing::TestWithParam<const char*> {};

TEST_P(TorchFixture, HoldsEveryTensor) {
  const TorchFile file(fixture(GetParam()));
  const PickleValue& model = file.root().at("model", "fixture");
  const auto get = [&](const char* name) { return file.tensor(model.at(name, name), name); };
  const auto expect = [&](const char* name, DType dtype, const std::vector<int64_t>& shape,
                          const std::vector<float>& values) {
    const TensorData data = get(name);
    EXPECT_EQ(data.dtype, dtype) << name;
    EXPECT_EQ(data.shape, shape) << name;
    EXPECT_EQ(floats(data), values) << name;
  };
  const float infinity = std::numeric_limits<float>::infinity();
  expect("f32", DType::kF32, {4, 6}, arange(0, 24));
  expect("f16", DType::kF16, {5}, {1.5F, -0.25F, 65504.F, 0x1p-24F, infinity});
  expect("bf16", DType::kBF16, {2, 2}, {1.5F, -0.25F, 0x1.C4p127F, 0x1.44p-100F});
  expect("f64", DType::kF64, {2}, {0.1F, -2.5F});
  expect("i64", DType::kI64, {3}, {1, -2, 0x1p40F});
  expect("i32", DType::kI32, {2}, {7, -8});
  expect("i8", DType::kI8, {2}, {7, -8});
  expect("u8", DType::kU8, {2}, {7, 200});
  expect("bool", DType::kBool, {3}, {1, 0, 1});
  expect("scalar", DType::kF32, {}, {2.5F});
  expect("empty", DType::kF32, {0, 3}, {});
  expect("offset", DType::kF32, {4}, arange(5, 9));
  expect("steps", DType::kF32, {4}, arange(1, 24, 7));
  expect("expanded", DType::kF32, {2, 3}, {1, 1, 1, 2, 2, 2});
  expect("parameter", DType::kF32, {2}, {1, 2});
  const std::vector<float> transposed = floats(get("transposed"));
  ASSERT_EQ(transposed.size(), 24U);
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(transposed[i], static_cast<float>(i % 4 * 6 + i / 4) / 8);
  }
  EXPECT_EQ(get("tied").bytes.data(), get("f32").bytes.data());
}

TEST_P(TorchFixture, HoldsEveryValue) {
  const TorchFile file(fixture(GetParam()));
  const PickleValue& root = file.root();
  EXPECT_EQ(root.at("epoch", "").integer(""), 3);
  EXPECT_EQ(root.at("big", "").integer(""), int64_t{1} << 40);
  EXPECT_EQ(root.at("negative", "").integer(""), -7);
  EXPECT_EQ(root.at("rate", "").real(""), 0.25);
  EXPECT_TRUE(root.at("none", "").is(PickleValue::Kind::kNone));
  EXPECT_TRUE(root.at("yes", "").boolean(""));
  EXPECT_FALSE(root.at("no", "").boolean(""));
  const auto files = root.at("files", "").items();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[2]->string(""), "b/c");
  const PickleValue& optimizer = root.at("optimizer", "");
  const PickleValue* state = optimizer.at("state", "").find(int64_t{0});
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(floats(file.tensor(state->at("exp_avg", ""), "exp_avg")), std::vector<float>({1, 1}));
  const PickleValue& group = *optimizer.at("param_groups", "").items()[0];
  EXPECT_EQ(group.at("betas", "").items()[1]->real(""), 0.999);
  EXPECT_THROW(root.at("nothing", "x"), Error);
  EXPECT_THROW(file.tensor(group, "group"), Error);
}

INSTANTIATE_TEST_SUITE_P(Formats, TorchFixture,
                         testing::Values("zip_protocol2.pt", "zip_protocol3.pt", "zip_protocol4.pt",
                                         "zip_protocol5.pt", "legacy_protocol2.pt",
                                         "legacy_protocol4.pt"));

class GaudiFixture : public testing::TestWithParam<const char*> {};

TEST_P(GaudiFixture, ArraysAreTensors) {
  const TorchFile file(fixture(GetParam()));
  const PickleValue& model = file.root().at("model", "");
  const std::vector<float> quarters = {0, 0.25F, 0.5F, 0.75F, 1, 1.25F};
  for (const char* name : {"w", "f"}) {
    const TensorData data = file.tensor(model.at(name, name), name);
    EXPECT_EQ(data.shape, (std::vector<int64_t>{2, 3})) << name;
    EXPECT_EQ(floats(data), quarters) << name;
  }
  EXPECT_EQ(floats(file.tensor(model.at("b", "b"), "b")), std::vector<float>({1.5F, -0.25F}));
  EXPECT_EQ(floats(file.tensor(file.root().at("array", ""), "array")),
            std::vector<float>({1, 255, -3}));
  const TensorData bytes = file.tensor(file.root().at("bytes", ""), "bytes");
  ASSERT_EQ(bytes.bytes.size(), 256U);
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(bytes.bytes[i], static_cast<std::byte>(i));
}

TEST_P(GaudiFixture, UnknownObjectsStayOpaque) {
  const TorchFile file(fixture(GetParam()));
  const PickleValue& loader = file.root().at("data_loader", "");
  EXPECT_TRUE(loader.is_object_of("__main__.Unknown"));
  try {
    file.tensor(loader, "data_loader");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what())
                  .find("data_loader: expected a tensor, found an object of "
                        "__main__.Unknown"),
              std::string::npos)
        << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Protocols, GaudiFixture,
                         testing::Values("gaudi_protocol2.pt", "gaudi_protocol4.pt",
                                         "gaudi_protocol5.pt"));

TEST(TorchFile, DamageIsDetected) {
  check_damaged(read_all(fixture("zip_protocol2.pt")), "damaged.pt", fingerprint,
                test::Promise::kErrorOrEqual);
}

TEST(TorchFile, DamageInTheOldFormatNeverCrashes) {
  check_damaged(read_all(fixture("legacy_protocol2.pt")), "damaged.pt", fingerprint,
                test::Promise::kNoCrash);
}

std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

TEST(TorchWriter, FilesRoundTrip) {
  const TemporaryFolder folder;
  const std::string path = folder.file("ckpt_7.pt");
  const std::vector<float> weights = arange(0, 12);
  const std::vector<float> one = {2.5F};
  TorchWriter writer;
  PickleTree& tree = writer.tree();
  PickleValue& model = tree.ordered_dict();
  const PickleValue& tied =
      writer.tensor(DType::kF32, std::vector<int64_t>{3, 4}, bytes_of(weights));
  tree.set(model, "w", tied);
  tree.set(model, "decoder", tied);
  tree.set(model, "scalar", writer.tensor(DType::kF32, {}, bytes_of(one)));
  tree.set(model, "streamed",
           writer.tensor(DType::kF32, std::vector<int64_t>{12}, [&](const ByteSink& sink) {
             sink(bytes_of(weights).first(5));
             sink(bytes_of(weights).subspan(5));
           }));
  PickleValue& root = tree.dict();
  tree.set(root, "model", model);
  for (const int64_t value : {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{-1}, INT64_MIN}) {
    root.set(tree.integer(value), tree.integer(value));
  }
  tree.set(root, "rate", tree.real(6e-3));
  PickleValue& files = tree.list();
  files.append(tree.string("ä"));
  tree.set(root, "files", files);
  writer.save(path, root);

  const TorchFile file(path);
  const PickleValue& read = file.root().at("model", "");
  EXPECT_TRUE(read.ordered());
  EXPECT_EQ(floats(file.tensor(read.at("w", ""), "w")), weights);
  EXPECT_EQ(floats(file.tensor(read.at("streamed", ""), "streamed")), weights);
  EXPECT_EQ(floats(file.tensor(read.at("scalar", ""), "scalar")), one);
  const TensorData w = file.tensor(read.at("w", ""), "w");
  EXPECT_EQ(file.tensor(read.at("decoder", ""), "decoder").bytes.data(), w.bytes.data());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(w.bytes.data()) % 64, 0U);
  for (const int64_t value : {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{-1}, INT64_MIN}) {
    ASSERT_NE(file.root().find(value), nullptr) << value;
    EXPECT_EQ(file.root().find(value)->integer(""), value);
  }
  EXPECT_EQ(file.root().at("rate", "").real(""), 6e-3);
  EXPECT_EQ(file.root().at("files", "").items()[0]->string(""), "ä");
  check_damaged(read_all(path), "damaged.pt", fingerprint, test::Promise::kError);
}

TEST(TorchWriter, EqualTreesGiveEqualBytes) {
  const TemporaryFolder folder;
  const std::vector<float> weights = arange(0, 12);
  for (const char* sub : {"a", "b"}) {
    std::filesystem::create_directory(folder.file(sub));
    TorchWriter writer;
    PickleValue& root = writer.tree().dict();
    writer.tree().set(root, "w",
                      writer.tensor(DType::kF32, std::vector<int64_t>{12}, bytes_of(weights)));
    writer.save(folder.file(std::string(sub) + "/x.pt"), root);
  }
  EXPECT_EQ(read_all(folder.file("a/x.pt")), read_all(folder.file("b/x.pt")));
}

TEST(TorchWriter, FailingSourceLeavesTheOldFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.pt");
  test::write_all(path, "old");
  TorchWriter writer;
  const PickleValue& tensor =
      writer.tensor(DType::kF32, std::vector<int64_t>{1}, [](const ByteSink&) { fail("no data"); });
  EXPECT_THROW(writer.save(path, tensor), Error);
  EXPECT_EQ(read_all(path), "old");
}

TEST(TorchFile, PublishedCheckpointsAreRead) {
  for (const char* name : {"allennlp-model_state_e1_b0.th", "allennlp-simple_tagger_elmo-best.th",
                           "allennlp-training_state_e1_b0.th", "nvidia-tacotron2-mel.pt"}) {
    const std::string path = test::real_data(std::string("checkpoints/reader-samples/") + name);
    if (path.empty()) GTEST_SKIP() << "no real data";
    const TorchFile file(path);
    if (TorchFile::is_tensor(file.root())) {
      EXPECT_GT(file.tensor(file.root(), "root").size(), 1000) << name;
      continue;
    }
    const auto items = file.root().items();
    ASSERT_GE(items.size(), 2U) << name;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (!TorchFile::is_tensor(*items[i + 1])) continue;
      const TensorData data = file.tensor(*items[i + 1], items[i]->text());
      EXPECT_EQ(data.size(), element_count(data.shape)) << items[i]->text();
    }
  }
}

}  // namespace
}  // namespace bertha::io
