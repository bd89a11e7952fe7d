#include "serve/routes/kserve_tensors.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace bertha::serve {
namespace {

/// The texts as the binary extension packs them.
std::string packed(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const auto length = static_cast<uint32_t>(text.size());
    std::string raw(sizeof length, '\0');
    std::memcpy(raw.data(), &length, sizeof length);
    bytes += raw + text;
  }
  return bytes;
}

std::string input_json(const std::string& shape, size_t bytes) {
  return R"({"inputs":[{"name":"text","datatype":"BYTES","shape":)" + shape +
         R"(,"parameters":{"binary_data_size":)" + std::to_string(bytes) + "}}]}";
}

std::string fault_of(const std::string& json, const std::string& behind = "") {
  try {
    read_kserve_request(json + behind, behind.empty() ? "" : std::to_string(json.size()));
  } catch (const FieldError& error) {
    return error.what();
  }
  return "";
}

TEST(KserveRequest, JsonDataIsFlatOrNested) {
  for (const char* data : {R"(["a","b"])", R"([["a"],["b"]])"}) {
    KserveRequest request = read_kserve_request(
        R"({"inputs":[{"name":"text","shape":[2,1],"datatype":"BYTES","data":)" +
            std::string(data) + "}]}",
        "");
    EXPECT_EQ(request.texts("text"), (std::vector<std::string>{"a", "b"}));
  }
}

TEST(KserveRequest, BinaryTensorsFollowTheJsonInOrder) {
  const std::string first = packed({"é", ""});
  const std::string second = packed({"c"});
  const std::string json =
      R"({"id":"7","inputs":[{"name":"question","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":)" +
      std::to_string(first.size()) +
      R"(}},{"name":"context","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":)" +
      std::to_string(second.size()) + "}}]}";
  KserveRequest request = read_kserve_request(json + first + second, std::to_string(json.size()));
  EXPECT_EQ(request.body.id, "7");
  EXPECT_EQ(request.texts("question"), (std::vector<std::string>{"é", ""}));
  EXPECT_EQ(request.texts("context"), (std::vector<std::string>{"c"}));
}

TEST(KserveRequest, LengthsThatDoNotFitAreRefused) {
  const std::string good = packed({"abc"});
  EXPECT_EQ(fault_of(input_json("[1]", good.size()), good), "");
  EXPECT_NE(fault_of(input_json("[1]", good.size() + 1), good).find("bytes are left"),
            std::string::npos);
  EXPECT_NE(fault_of(input_json("[1]", good.size() - 1), good).find("longer than the tensor"),
            std::string::npos);
  EXPECT_NE(fault_of(input_json("[2]", good.size()), good).find("its shape 2"), std::string::npos);
  EXPECT_NE(fault_of(input_json("[0]", good.size()), good).find("more texts"), std::string::npos);
  EXPECT_NE(fault_of(input_json("[1]", 2), good.substr(0, 2)).find("ends inside"),
            std::string::npos);
  EXPECT_NE(fault_of(input_json("[1]", good.size()), good + "x").find("unused"), std::string::npos);
  EXPECT_NE(fault_of(input_json("[1]", 8), std::string(4, '\xff') + "abcd").find("longer"),
            std::string::npos);
}

TEST(KserveRequest, ShapeThatOverflowsIsRefused) {
  EXPECT_NE(fault_of(input_json("[4294967296,4294967296]", 4), packed({""})).find("shape"),
            std::string::npos);
  EXPECT_NE(fault_of(input_json("[1048576,1048576,1048576,1048576]", 4), packed({""})), "");
  EXPECT_NE(fault_of(input_json("[-1]", 4), packed({""})), "");
}

TEST(KserveRequest, TextThatIsNotUtf8IsRefused) {
  EXPECT_NE(fault_of(input_json("[1]", 5), packed({"\xff"})).find("UTF-8"), std::string::npos);
}

TEST(KserveRequest, HeaderLengthOutsideTheBodyIsRefused) {
  for (const char* length : {"0", "-1", "99999", "18446744073709551616", "4x", " 4"}) {
    EXPECT_THROW(read_kserve_request(input_json("[0]", 0), length), FieldError) << length;
  }
}

TEST(KserveRequest, OtherDatatypeAndRepeatedNameAreRefused) {
  EXPECT_NE(fault_of(R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]}]})")
                .find("must be BYTES"),
            std::string::npos);
  const std::string input = R"({"name":"a","shape":[1],"datatype":"BYTES","data":["x"]})";
  EXPECT_NE(fault_of(R"({"inputs":[)" + input + "," + input + "]}").find("twice"),
            std::string::npos);
  EXPECT_NE(fault_of(R"({"inputs":[{"name":"a","shape":[1],"datatype":"BYTES"}]})"), "");
  EXPECT_NE(fault_of(R"({"inputs":[]})"), "");
}

const std::vector<KserveTensor>& tensors() {
  static const std::vector<KserveTensor> kTensors = {
      {"score", {1, 2}, std::vector{0.5F, -1.0F}},
      {"start", {1}, std::vector<int64_t>{258}},
      {"label", {1}, std::vector<std::string>{"go"}}};
  return kTensors;
}

TEST(KserveResponse, OutputsAreJsonByDefault) {
  const HttpResponse response = kserve_response({.id = "x"}, "m", tensors());
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.headers.find("Inference-Header-Content-Length"), nullptr);
  EXPECT_EQ(response.body, R"({"model_name":"m","model_version":"1","id":"x","outputs":[)"
                           R"({"name":"score","datatype":"FP32","shape":[1,2],"data":[0.5,-1.0]},)"
                           R"({"name":"start","datatype":"INT64","shape":[1],"data":[258]},)"
                           R"({"name":"label","datatype":"BYTES","shape":[1],"data":["go"]}]})");
}

TEST(KserveResponse, BinaryOutputsFollowTheJson) {
  const HttpResponse response =
      kserve_response({.parameters = {.binary_data_output = true}}, "m", tensors());
  EXPECT_EQ(response.content_type, "application/octet-stream");
  const std::string* length = response.headers.find("Inference-Header-Content-Length");
  ASSERT_NE(length, nullptr);
  const std::string json = response.body.substr(0, std::stoul(*length));
  EXPECT_EQ(
      json,
      R"({"model_name":"m","model_version":"1","outputs":[)"
      R"({"name":"score","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
      R"({"name":"start","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}},)"
      R"({"name":"label","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]})");
  EXPECT_EQ(response.body.substr(json.size()),
            std::string("\0\0\0\x3f\0\0\x80\xbf\x02\x01\0\0\0\0\0\0\x02\0\0\0go", 22));
}

TEST(KserveResponse, OutputsAreThoseThatAreAskedFor) {
  KserveBody body;
  body.outputs = {{.name = "label", .parameters = {.binary_data = true}}, {.name = "start"}};
  const HttpResponse response = kserve_response(body, "m", tensors());
  EXPECT_EQ(
      response.body,
      R"({"model_name":"m","model_version":"1","outputs":[)"
      R"({"name":"label","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}},)"
      R"({"name":"start","datatype":"INT64","shape":[1],"data":[258]}]})" +
          std::string("\2\0\0\0go", 6));
  body.outputs = {{.name = "other"}};
  EXPECT_THROW(kserve_response(body, "m", tensors()), FieldError);
}

}  // namespace
}  // namespace bertha::serve
