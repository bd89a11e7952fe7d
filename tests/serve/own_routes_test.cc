#include <gtest/gtest.h>

#include <string>

#include "serve/fake_service.h"

namespace bertha::serve::test {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr const char* kWork =
    R"("usage":{"tokens":10,"windows":1},"timing_ms":{"tokenize":1.5,"queue":2.0,"compute":7.25}})";

TEST(OwnRoutes, AnswerIsWhole) {
  RouterFixture server;
  const HttpResponse response =
      server.post("/v1/answer", R"({"question":"who?","passage":"Anna sang."})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"model":"qa","answers":[{"question":"who?","best":[{"text":"Anna",)"
            R"("confidence":0.75,"start":0,"end":4,"score":11.5}],"no_answer":false,)"
            R"("no_answer_confidence":0.25,"windows":1,"windows_skipped":0,)"
            R"("question_truncated":false}],)" +
                std::string(kWork));
  EXPECT_EQ(response.summary.route, "/v1/answer");
  EXPECT_EQ(response.summary.model, "qa");
  EXPECT_EQ(response.summary.tokens, 10);
}

TEST(OwnRoutes, AnswerTakesAllFields) {
  RouterFixture server;
  server.post("/v1/answer",
              R"({"model":"m","question":["a","b"],"passage":"p","top":3,"no_answer":false,
                  "max_answer_tokens":9,"windows":{"tokens":100,"step":50},"offsets":"utf16"})");
  const AnswerRequest& asked = server.service.asked;
  EXPECT_EQ(server.service.model, "m");
  EXPECT_EQ(asked.questions, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(asked.passage, "p");
  EXPECT_EQ(asked.top, 3);
  EXPECT_FALSE(asked.no_answer);
  EXPECT_EQ(asked.max_answer_tokens, 9);
  EXPECT_EQ(asked.window_tokens, 100);
  EXPECT_EQ(asked.window_step, 50);
  EXPECT_EQ(asked.offsets, OffsetUnit::kUtf16);
}

TEST(OwnRoutes, AnswerDefaultsAreThoseOfTheCommand) {
  RouterFixture server;
  server.post("/v1/answer", R"({"question":"a","passage":"p"})");
  const AnswerRequest& asked = server.service.asked;
  EXPECT_EQ(asked.top, 1);
  EXPECT_TRUE(asked.no_answer);
  EXPECT_EQ(asked.max_answer_tokens, 30);
  EXPECT_EQ(asked.window_tokens, 0);
  EXPECT_EQ(asked.window_step, 128);
  EXPECT_EQ(asked.offsets, OffsetUnit::kCharacters);
}

TEST(OwnRoutes, UnknownFieldIsRefused) {
  RouterFixture server;
  const HttpResponse response =
      server.post("/v1/answer", R"({"question":"a","passage":"p","ofsets":"bytes"})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(
      response.body,
      R"({"error":{"message":"`ofsets` is not a field of this route; did you mean `offsets`?",)"
      R"("type":"invalid_request_error","param":"ofsets","code":null}})");
}

TEST(OwnRoutes, FillIsWholeForOneTextAndForSeveral) {
  RouterFixture server;
  const std::string mask = R"([{"token":"sea","id":7,"probability":0.5,"text":"The sea."}])";
  EXPECT_EQ(server.post("/v1/fill", R"({"text":"The [MASK]."})").body,
            R"({"model":"mlm","masks":[)" + mask + "]," + kWork);
  EXPECT_EQ(
      server.post("/v1/fill", R"({"text":["two [MASK] [MASK]"],"top":3,"targets":["sea"]})").body,
      R"({"model":"mlm","results":[{"masks":[)" + mask + "," + mask + "]}]," + kWork);
  EXPECT_EQ(server.service.to_fill.top, 3);
  EXPECT_EQ(server.service.to_fill.targets, std::vector<std::string>{"sea"});
}

TEST(RouteContext, HeadersShortenTheDeadlineAndLowerThePriority) {
  RouterFixture server;
  const auto timeout = [&](HttpHeaders headers) {
    server.post("/v1/fill", R"({"text":"a"})", std::move(headers));
    const RequestContext& context = server.service.context;
    return duration_cast<milliseconds>(context.deadline - context.arrival).count();
  };
  EXPECT_EQ(timeout({}), 30'000);
  EXPECT_EQ(timeout({{"X-Request-Timeout", "2.5"}}), 2500);
  EXPECT_EQ(timeout({{"x-stainless-read-timeout", "600"}}), 30'000);
  EXPECT_EQ(timeout({{"x-stainless-read-timeout", "20"}, {"X-Request-Timeout", "25"}}), 20'000);
  for (const char* wrong : {"-1", "0", "nan", "inf", "1e300", "3 s", ""}) {
    EXPECT_EQ(timeout({{"X-Request-Timeout", wrong}}), 30'000) << wrong;
  }
  EXPECT_EQ(server.service.context.priority, Priority::kInteractive);
  timeout({{"X-Priority", "batch"}});
  EXPECT_EQ(server.service.context.priority, Priority::kBatch);
}

TEST(RouteErrors, EachKindHasItsStatusInEachDialect) {
  struct Row {
    ErrorKind kind;
    int own, tei, openai, kserve, hugging_face;
  };
  const std::vector<Row> rows = {{ErrorKind::kInvalid, 422, 422, 400, 400, 422},
                                 {ErrorKind::kEmpty, 422, 400, 400, 400, 400},
                                 {ErrorKind::kTooLong, 422, 422, 400, 400, 422},
                                 {ErrorKind::kTooLarge, 422, 422, 400, 400, 422},
                                 {ErrorKind::kUnknownModel, 404, 404, 404, 404, 404},
                                 {ErrorKind::kWrongTask, 422, 424, 400, 400, 422},
                                 {ErrorKind::kOverloaded, 429, 429, 429, 429, 429},
                                 {ErrorKind::kDeadline, 503, 503, 503, 503, 503},
                                 {ErrorKind::kInternal, 500, 424, 500, 500, 500}};
  RouterFixture server;
  for (const Row& row : rows) {
    server.service.refusal = ServeError{.kind = row.kind, .message = "why"};
    EXPECT_EQ(server.post("/v1/fill", R"({"text":"a"})").status, row.own);
    EXPECT_EQ(server.post("/embed", R"({"inputs":"a"})").status, row.tei);
    EXPECT_EQ(server.post("/v1/embeddings", R"({"input":"a"})").status, row.openai);
    EXPECT_EQ(
        server
            .post("/v2/models/mini/infer",
                  R"({"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}]})")
            .status,
        row.kserve);
    EXPECT_EQ(server.post("/models/mini", R"({"inputs":"a"})").status, row.hugging_face);
  }
}

TEST(RouteErrors, BodiesAreThoseOfEachDialect) {
  RouterFixture server;
  server.service.refusal = ServeError{
      .kind = ErrorKind::kOverloaded, .message = "too \"much\"", .retry_after = milliseconds(1500)};
  const HttpResponse own = server.post("/v1/fill", R"({"text":"a"})");
  EXPECT_EQ(own.headers.get("Retry-After"), "2");
  EXPECT_EQ(own.headers.get("retry-after-ms"), "1500");
  EXPECT_EQ(server.post("/embed", R"({"inputs":"a"})").body,
            R"({"error":"too \"much\"","error_type":"Overloaded"})");
  EXPECT_EQ(
      server.post("/v1/embeddings", R"({"input":"a"})").body,
      R"({"error":{"message":"too \"much\"","type":"rate_limit_error","param":null,"code":null}})");
  EXPECT_EQ(server.post("/models/mini", R"({"inputs":"a"})").body, R"({"error":"too \"much\""})");
}

TEST(RouteErrors, ClientIsNotAskedToComeAgainAfterItsDeadline) {
  RouterFixture server;
  server.service.refusal = ServeError{.kind = ErrorKind::kDeadline, .message = "late"};
  const HttpResponse response = server.post("/embed", R"({"inputs":"a"})");
  EXPECT_EQ(response.body, R"({"error":"late","error_type":"Overloaded"})");
  EXPECT_EQ(response.headers.get("x-should-retry"), "false");
  EXPECT_EQ(response.headers.find("Retry-After"), nullptr);
}

TEST(RouteErrors, SyntaxIs400InEachDialect) {
  RouterFixture server;
  for (const char* path : {"/v1/answer", "/embed", "/v1/embeddings", "/rerank", "/v1/rerank",
                           "/v2/models/mini/infer", "/models/mini", "/", "/tokenize"}) {
    EXPECT_EQ(server.post(path, "{").status, 400) << path;
    EXPECT_EQ(server.post(path, R"({"a":1,"a":2})").status, 400) << path;
    EXPECT_EQ(server.post(path, std::string(100'000, '[')).status, 400) << path;
  }
}

TEST(RouteErrors, UnknownRouteMethodAndMediaType) {
  RouterFixture server;
  EXPECT_EQ(server.get("/v1/nothing").status, 404);
  EXPECT_EQ(server.post("/v2/models//infer", "{}").status, 404);
  EXPECT_EQ(server.get("/%65mbed").status, 404);
  const HttpResponse method = server.get("/embed");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.get("Allow"), "POST");
  EXPECT_EQ(server.post("/health", "").headers.get("Allow"), "GET, HEAD");
  const HttpHeaders form = {{"Content-Type", "application/x-www-form-urlencoded"}};
  EXPECT_EQ(server.post("/embed", R"({"inputs":"a"})", form).status, 415);
  const HttpHeaders zipped = {{"Content-Encoding", "gzip"}};
  EXPECT_EQ(server.post("/embed", R"({"inputs":"a"})", zipped).status, 415);
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "text/json",
                           "application/vnd.api+json"}) {
    EXPECT_EQ(server.post("/embed", R"({"inputs":"a"})", {{"Content-Type", type}}).status, 200);
  }
}

TEST(RouteErrors, ValueThatIsNotFiniteIsAFaultAndNotJson) {
  RouterFixture server;
  EXPECT_EQ(server.post("/embed", R"({"inputs":"broken"})").status, 424);
  EXPECT_EQ(server.post("/v1/embeddings", R"({"input":"broken"})").status, 500);
  EXPECT_EQ(
      server.post("/v1/embeddings", R"({"input":"broken","encoding_format":"base64"})").status,
      500);
}

TEST(Router, LargeBodyIsReadOnTheWorker) {
  RouterFixture server;
  const std::string text(200'000, 'x');
  EXPECT_EQ(server.post("/embed", R"({"inputs":")" + text + "\"}").status, 200);
  EXPECT_EQ(std::get<std::string>(server.service.to_embed.inputs.at(0)), text);
  EXPECT_EQ(server.post("/embed", R"({"inputs":")" + text).status, 400);
}

TEST(Router, NameInThePathIsDecoded) {
  RouterFixture server;
  server.service.served[2].name = "a b/c";
  EXPECT_EQ(server.get("/v1/models/a%20b%2Fc").status, 200);
  EXPECT_EQ(server.get("/v1/models/a%2").status, 404);
  EXPECT_EQ(server.get("/v1/models/other").status, 404);
}

}  // namespace
}  // namespace bertha::serve::test
