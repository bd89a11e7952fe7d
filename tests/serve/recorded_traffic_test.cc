// What the clients of tests/clients sent, replayed: the status is the recorded one, and the answer
// has the members and types that the client was given.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "serve/fake_service.h"
#include "support/paths.h"

namespace bertha::serve::test {
namespace {

using Json = nlohmann::json;

struct Message {
  std::string first_line;
  HttpHeaders headers;
  std::string body;
};

struct Exchange {
  std::string file;
  Message request;
  Message response;
};

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Message parse(const std::string& text) {
  Message message;
  const size_t end = text.find("\r\n\r\n");
  message.body = text.substr(end + 4);
  const size_t first = text.find("\r\n");
  message.first_line = text.substr(0, first);
  for (size_t at = first; at < end;) {
    const size_t next = text.find("\r\n", at + 2);
    const std::string line = text.substr(at + 2, next - at - 2);
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) {
      message.headers.add(line.substr(0, colon), line.substr(colon + 2));
    }
    at = next;
  }
  return message;
}

std::vector<Exchange> recorded() {
  const std::string separator = "\n----- response\n";
  std::vector<Exchange> exchanges;
  for (const auto& entry :
       std::filesystem::directory_iterator(bertha::test::tests_path("serve/recorded"))) {
    const std::string text = contents(entry.path());
    const size_t at = text.find(separator);
    exchanges.push_back({entry.path().filename().string(), parse(text.substr(0, at)),
                         parse(text.substr(at + separator.size()))});
  }
  std::ranges::sort(exchanges, {}, &Exchange::file);
  return exchanges;
}

int status_of(const Message& response) {
  return std::stoi(response.first_line.substr(9, 3));
}

HttpRequest request_of(const Message& message) {
  HttpRequest request;
  const size_t space = message.first_line.find(' ');
  request.method = message.first_line.substr(0, space);
  request.path = message.first_line.substr(space + 1, message.first_line.rfind(' ') - space - 1);
  request.headers = message.headers;
  request.body = message.body;
  return request;
}

/// The models of the server that the exchange was recorded from: the middle part of the name.
std::vector<ModelInfo> models_of(const std::string& file) {
  std::vector<ModelInfo> all = {
      {.name = "qa", .task = Task::kAnswer, .max_tokens = 512},
      {.name = "fill", .task = Task::kFill, .max_tokens = 512},
      {.name = "embed", .task = Task::kEmbed, .vector_size = 32, .pooling = "mean"},
      {.name = "reviews", .task = Task::kClassify, .labels = {"bad", "good"}},
      {.name = "ranker", .task = Task::kRerank, .labels = {"LABEL_0"}}};
  for (ModelInfo& model : all) model.mask_token = "[MASK]";
  const size_t dot = file.find('.');
  const std::string server = file.substr(dot + 1, file.find('.', dot + 1) - dot - 1);
  if (server == "all") return all;
  return {*std::ranges::find(all, server, &ModelInfo::name)};
}

/// Names of members and types of values; of an array the shape of its first element.
Json shape(const Json& value) {
  if (value.is_object()) {
    Json of = Json::object();
    for (const auto& [name, member] : value.items()) of[name] = shape(member);
    return of;
  }
  if (value.is_array()) return value.empty() ? Json::array() : Json::array({shape(value[0])});
  return value.is_number() ? "number" : value.type_name();
}

/// The JSON of a body, without the tensors of KServe's binary extension behind it.
Json json_of(const std::string& body, const HttpHeaders& headers) {
  const std::string* length = headers.find("Inference-Header-Content-Length");
  const size_t bytes = length == nullptr ? body.size() : std::stoul(*length);
  return Json::parse(body.substr(0, bytes), nullptr, false);
}

void replay(const Exchange& exchange) {
  SCOPED_TRACE(exchange.file);
  RouterFixture server;
  server.service.served = models_of(exchange.file);
  const int status = status_of(exchange.response);
  if (status == 400 || status == 422) {  // the service refuses what the router lets pass
    server.service.refusal = ServeError{.kind = ErrorKind::kInvalid, .message = "it says why"};
  }
  if (status == 404) {
    server.service.refusal = ServeError{
        .kind = ErrorKind::kUnknownModel, .message = "there are others", .field = "model"};
  }
  const HttpResponse given = server.send(request_of(exchange.request));
  EXPECT_EQ(given.status, status) << given.body;
  EXPECT_EQ(given.headers.find("Inference-Header-Content-Length") == nullptr,
            exchange.response.headers.find("Inference-Header-Content-Length") == nullptr);
  const Json expected = json_of(exchange.response.body, exchange.response.headers);
  if (expected.is_discarded()) return;  // no JSON: health, metrics
  EXPECT_EQ(shape(json_of(given.body, given.headers)), shape(expected)) << given.body;
}

TEST(RecordedTraffic, EachClientGetsTheShapesItWasGiven) {
  const std::vector<Exchange> exchanges = recorded();
  EXPECT_GE(exchanges.size(), 30U);
  for (const Exchange& exchange : exchanges) replay(exchange);
}

TEST(RecordedTraffic, ShapesDifferByNameAndType) {
  EXPECT_EQ(shape(Json::parse(R"([{"a":1},{"a":2}])")), shape(Json::parse(R"([{"a":1.5}])")));
  EXPECT_NE(shape(Json::parse(R"({"a":1})")), shape(Json::parse(R"({"a":"1"})")));
  EXPECT_NE(shape(Json::parse(R"({"a":1})")), shape(Json::parse(R"({"a":1,"b":1})")));
  EXPECT_NE(shape(Json::parse("[1]")), shape(Json::parse("[[1]]")));
}

}  // namespace
}  // namespace bertha::serve::test
