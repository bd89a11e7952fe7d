#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "serve/fake_service.h"
#include "serve/page/page_assets.h"
#include "serve/routes/request_json.h"

namespace bertha::serve::test {
namespace {

// --- text-embeddings-inference ---

TEST(TeiRoutes, EmbedIsNestedForOneText) {
  RouterFixture server;
  const HttpResponse response = server.post("/embed", R"({"inputs":"a"})");
  EXPECT_EQ(response.body, "[[0.5,-1.0]]");
  EXPECT_TRUE(server.service.to_embed.normalize.value());
  EXPECT_TRUE(server.service.to_embed.truncation.allowed);
  EXPECT_EQ(response.headers.get("x-compute-type"), "cpu");
  EXPECT_EQ(response.headers.get("x-compute-tokens"), "10");
  EXPECT_EQ(response.headers.get("x-compute-characters"), "40");
  EXPECT_EQ(response.headers.get("x-inference-time"), "7");
  EXPECT_EQ(response.headers.find("x-truncated"), nullptr);
}

TEST(TeiRoutes, EmbedTakesAllFields) {
  RouterFixture server;
  EXPECT_EQ(server
                .post("/embed",
                      R"({"inputs":["a",[5,6]],"truncate":false,"truncation_direction":"Left",
                          "prompt_name":"query","normalize":false,"dimensions":1,"other":1})")
                .body,
            "[[0.5,-1.0],[0.5,-1.0]]");
  const EmbedRequest& embed = server.service.to_embed;
  EXPECT_EQ(std::get<std::vector<int32_t>>(embed.inputs.at(1)), (std::vector<int32_t>{5, 6}));
  EXPECT_FALSE(embed.truncation.allowed);
  EXPECT_TRUE(embed.truncation.from_left);
  EXPECT_EQ(embed.prompt_name, "query");
  EXPECT_FALSE(embed.normalize.value());
  EXPECT_EQ(embed.dimensions, 1);
  EXPECT_EQ(server.post("/embed", R"({"inputs":"a","dimensions":0})").status, 422);
}

TEST(TeiRoutes, EmbedAllHasAVectorForEachToken) {
  RouterFixture server;
  EXPECT_EQ(server.post("/embed_all", R"({"inputs":["a"]})").body, "[[[0.5,-1.0],[0.25,2.0]]]");
  EXPECT_TRUE(server.service.to_embed.all_tokens);
}

TEST(TeiRoutes, PredictIsFlatForOneAndNestedForABatch) {
  RouterFixture server;
  const std::string scores = R"([{"score":0.75,"label":"good"},{"score":0.25,"label":"bad"}])";
  EXPECT_EQ(server.post("/predict", R"({"inputs":"a"})").body, scores);
  EXPECT_EQ(server.post("/predict", R"({"inputs":["a","b"]})").body, scores);
  EXPECT_EQ(server.service.to_classify.inputs.at(0).pair, "b");
  EXPECT_EQ(server.post("/predict", R"({"inputs":[["a","b"],["c"]],"raw_scores":true})").body,
            "[" + scores + "," + scores + "]");
  EXPECT_EQ(server.service.to_classify.activation, Activation::kNone);
}

TEST(TeiRoutes, SimilarityTokenizeAndDecode) {
  RouterFixture server;
  EXPECT_EQ(server
                .post("/similarity",
                      R"({"inputs":{"source_sentence":"a","sentences":["b","c"]},
                          "parameters":{"prompt_name":"q"}})")
                .body,
            "[0.5,0.5]");
  EXPECT_EQ(server.service.to_compare.prompt_name, "q");
  EXPECT_EQ(server.post("/tokenize", R"({"inputs":"sea","add_special_tokens":false})").body,
            R"([[{"id":2,"text":"[CLS]","special":true,"start":null,"stop":null},)"
            R"({"id":9,"text":"sea","special":false,"start":0,"stop":3}]])");
  EXPECT_FALSE(server.service.to_tokenize.special_tokens);
  EXPECT_EQ(server.service.to_tokenize.offsets, OffsetUnit::kBytes);
  EXPECT_EQ(server.post("/decode", R"({"ids":[1,2]})").body, R"(["the sea"])");
  EXPECT_EQ(server.post("/decode", R"({"ids":[[1],[2]],"skip_special_tokens":false})").body,
            R"(["the sea","the sea"])");
  EXPECT_FALSE(server.service.to_decode.skip_special_tokens);
}

TEST(TeiRoutes, QueryNamesTheModel) {
  RouterFixture server;
  server.post("/embed?model=mini", R"({"inputs":"a"})");
  EXPECT_EQ(server.service.model, "mini");
}

TEST(TeiRoutes, WrongTypeIs422WithTheirWords) {
  RouterFixture server;
  const HttpResponse response = server.post("/embed", R"({"inputs":3})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.body,
            R"({"error":"Input validation error: `inputs` must be a string or an array, got a )"
            R"(number","error_type":"Validation"})");
}

// --- Rerank ---

TEST(RerankRoutes, TextsGiveTheFormOfTei) {
  RouterFixture server;
  EXPECT_EQ(server.post("/rerank", R"({"query":"q","texts":["a","bbb","cc"]})").body,
            R"([{"index":1,"score":0.03},{"index":2,"score":0.02},{"index":0,"score":0.01}])");
  EXPECT_EQ(
      server.post("/rerank", R"({"query":"q","texts":["a"],"return_text":true,"raw_scores":true})")
          .body,
      R"([{"index":0,"text":"a","score":0.01}])");
  EXPECT_TRUE(server.service.to_rank.raw_scores);
  EXPECT_EQ(server.service.to_rank.query, "q");
}

TEST(RerankRoutes, DocumentsGiveTheFormOfInfinity) {
  RouterFixture server;
  const Json answer = Json::parse(
      server
          .post("/rerank",
                R"({"query":"q","documents":["a","bbb"],"return_documents":true,"model":"cross"})")
          .body);
  EXPECT_EQ(answer["object"], "rerank");
  EXPECT_EQ(answer["model"], "cross");
  EXPECT_EQ(answer["results"][0],
            (Json{{"index", 1}, {"relevance_score", 0.03}, {"document", "bbb"}}));
  EXPECT_EQ(server.post("/rerank", R"({"query":"q"})").status, 422);
  EXPECT_EQ(server.post("/rerank", R"({"query":"q","texts":[],"documents":[]})").status, 422);
}

TEST(RerankRoutes, CohereAndJinaGetOneForm) {
  RouterFixture server;
  for (const char* path : {"/v1/rerank", "/v2/rerank"}) {
    const Json answer = Json::parse(
        server
            .post(path,
                  R"({"model":"cross","query":"q","documents":["a",{"text":"bbb","title":"t"},"cc"],
                      "top_n":2,"return_documents":true,"max_tokens_per_doc":64})")
            .body);
    EXPECT_EQ(answer["results"].dump(),
              R"([{"document":{"text":"bbb"},"index":1,"relevance_score":0.03},)"
              R"({"document":{"text":"cc"},"index":2,"relevance_score":0.02}])");
    EXPECT_EQ(answer["usage"]["total_tokens"], 30);
    EXPECT_EQ(answer["id"], "r-1");
    EXPECT_EQ(server.service.to_rank.truncation.max_tokens, 64);
  }
}

// --- OpenAI, infinity ---

TEST(OpenAiRoutes, EmbeddingsAsNumbersAndAsBase64) {
  RouterFixture server;
  Json answer = Json::parse(
      server.post("/v1/embeddings", R"({"input":["a","b"],"model":"mini","user":"u"})").body);
  EXPECT_GT(answer["created"], 1'700'000'000);
  answer.erase("created");
  EXPECT_EQ(answer.dump(),
            R"({"data":[{"embedding":[0.5,-1.0],"index":0,"object":"embedding"},)"
            R"({"embedding":[0.5,-1.0],"index":1,"object":"embedding"}],"id":"r-1","model":"mini",)"
            R"("object":"list","usage":{"prompt_tokens":20,"total_tokens":20}})");
  answer = Json::parse(
      server.post("/embeddings", R"({"input":"a","encoding_format":"base64","dimensions":2})")
          .body);
  EXPECT_EQ(answer["data"][0]["embedding"], "AAAAPwAAgL8=");
  EXPECT_EQ(answer["model"], "mini");
  EXPECT_EQ(server.service.to_embed.dimensions, 2);
  EXPECT_FALSE(server.service.to_embed.normalize.has_value());
}

TEST(OpenAiRoutes, TokenIdsAreRefusedUnlessTheServerAllowsThem) {
  const char* body = R"({"input":[[1,2],[3]]})";
  RouterFixture server;
  const HttpResponse refused = server.post("/v1/embeddings", body);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("check_embedding_ctx_length=False"), std::string::npos);
  RouterFixture open({.accept_token_ids = true});
  EXPECT_EQ(open.post("/v1/embeddings", body).status, 200);
}

TEST(OpenAiRoutes, WrongValueIs400AndNamesTheParameter) {
  RouterFixture server;
  const HttpResponse response =
      server.post("/v1/embeddings", R"({"input":"a","encoding_format":"hex"})");
  EXPECT_EQ(response.status, 400);
  const Json error = Json::parse(response.body)["error"];
  EXPECT_EQ(error["param"], "encoding_format");
  EXPECT_EQ(error["type"], "invalid_request_error");
}

TEST(OpenAiRoutes, ModelsAreListed) {
  RouterFixture server;
  const Json models = Json::parse(server.get("/v1/models").body);
  ASSERT_EQ(models["data"].size(), 6U);
  EXPECT_EQ(models["data"][2]["id"], "mini");
  EXPECT_EQ(models["data"][2]["task"], "embed");
  EXPECT_EQ(models["data"][2]["dimensions"], 2);
  EXPECT_EQ(models["data"][3]["labels"], (Json{"bad", "good"}));
  EXPECT_EQ(Json::parse(server.get("/v1/models/mood").body)["object"], "model");
  const HttpResponse missing = server.get("/v1/models/none");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(Json::parse(missing.body)["error"]["code"], "model_not_found");
  EXPECT_NE(missing.body.find("qa, mlm, mini, mood, cross"), std::string::npos);
}

TEST(OpenAiRoutes, ClassifyHasTheFormOfInfinity) {
  RouterFixture server;
  const Json answer = Json::parse(server.post("/classify", R"({"input":["a"]})").body);
  EXPECT_EQ(answer["object"], "classify");
  EXPECT_EQ(answer["data"].dump(),
            R"([[{"label":"good","score":0.75},{"label":"bad","score":0.25}]])");
}

// --- Hugging Face ---

TEST(HuggingFaceRoutes, QuestionAnsweringIsAnObjectOrAList) {
  RouterFixture server;
  const char* one = R"({"inputs":{"question":"q","context":"c"}})";
  EXPECT_EQ(server.post("/models/qa", one).body,
            R"({"score":0.5,"start":3,"end":8,"answer":"Paris"})");
  EXPECT_EQ(server.service.asked_pipeline.max_answer_tokens, 15);
  EXPECT_FALSE(server.service.asked_pipeline.overlap.has_value());
  const HttpResponse many = server.post(
      "/", R"({"inputs":{"question":"q","context":"c"},"parameters":{"top_k":2,"doc_stride":64,
               "max_answer_len":7,"max_seq_len":128,"max_question_len":32,
               "handle_impossible_answer":true,"align_to_words":false}})");
  EXPECT_EQ(many.body, R"([{"score":0.5,"start":3,"end":8,"answer":"Paris"},)"
                       R"({"score":0.25,"start":3,"end":8,"answer":"Paris"}])");
  const PipelineAnswerRequest& asked = server.service.asked_pipeline;
  EXPECT_EQ(asked.overlap, 64);
  EXPECT_EQ(asked.max_answer_tokens, 7);
  EXPECT_EQ(asked.window_tokens, 128);
  EXPECT_EQ(asked.max_question_tokens, 32);
  EXPECT_TRUE(asked.no_answer);
  EXPECT_FALSE(asked.align_to_words);
}

TEST(HuggingFaceRoutes, FillMaskIsAListForOneMaskAndNestedForSeveral) {
  RouterFixture server;
  const std::string mask = R"([{"score":0.5,"token":7,"token_str":"sea","sequence":"the sea."}])";
  EXPECT_EQ(server.post("/models/mlm", R"({"inputs":"The [MASK]."})").body, mask);
  EXPECT_EQ(server
                .post("/pipeline/fill-mask",
                      R"({"inputs":"two","parameters":{"top_k":2,"targets":["sea"]}})")
                .body,
            "[" + mask + "," + mask + "]");
  EXPECT_EQ(server.service.to_fill.top, 2);
  EXPECT_EQ(server.service.to_fill.targets, std::vector<std::string>{"sea"});
}

TEST(HuggingFaceRoutes, TextClassificationIsNested) {
  RouterFixture server;
  EXPECT_EQ(server
                .post("/models/mood/pipeline/text-classification",
                      R"({"inputs":"a","parameters":{"function_to_apply":"sigmoid","top_k":1}})")
                .body,
            R"([[{"score":0.75,"label":"good"}]])");
  EXPECT_EQ(server.service.to_classify.activation, Activation::kSigmoid);
  server.post("/models/mood", R"({"inputs":{"text":"a","text_pair":"b"}})");
  EXPECT_EQ(server.service.to_classify.inputs.at(0).pair, "b");
}

TEST(HuggingFaceRoutes, TokensAndGroupsHaveTheFieldsOfTransformers) {
  RouterFixture server;
  EXPECT_EQ(server.post("/models/names", R"({"inputs":"Anna"})").body,
            R"([{"entity":"B-PER","score":0.5,"index":1,"word":"Anna","start":0,"end":4}])");
  EXPECT_EQ(server.service.to_tag.aggregation, infer::TagAggregation::kNone);
  EXPECT_EQ(server.service.to_tag.ignored, std::vector<std::string>{"O"});
  const std::string group = R"({"entity_group":"PER","score":0.5,"word":"Anna","start":0,"end":4})";
  EXPECT_EQ(server
                .post("/pipeline/token-classification",
                      R"({"inputs":["Anna","Anna"],"parameters":{"aggregation_strategy":"max",
                          "stride":16,"ignore_labels":[]}})")
                .body,
            "[[" + group + "],[" + group + "]]");
  EXPECT_EQ(server.service.to_tag.aggregation, infer::TagAggregation::kMax);
  EXPECT_EQ(server.service.to_tag.overlap, 16);
  EXPECT_TRUE(server.service.to_tag.ignored.empty());
  EXPECT_EQ(
      server.post("/models/names", R"({"inputs":"a","parameters":{"aggregation_strategy":"mean"}})")
          .status,
      422);
}

TEST(HuggingFaceRoutes, FeatureExtractionTakesItsFieldsAtTheRootAndInParameters) {
  RouterFixture server;
  EXPECT_EQ(server
                .post("/models/mini",
                      R"({"inputs":["a"],"normalize":false,"truncate":false,
                          "parameters":{"normalize":true,"dimensions":1}})")
                .body,
            "[[0.5,-1.0]]");
  EXPECT_FALSE(server.service.to_embed.normalize.value());
  EXPECT_FALSE(server.service.to_embed.truncation.allowed);
  EXPECT_EQ(server.service.to_embed.dimensions, 1);
  server.post("/models/mini", R"({"inputs":"a"})");
  EXPECT_FALSE(server.service.to_embed.normalize.has_value());
}

TEST(HuggingFaceRoutes, SentencesAreComparedWhereInputsIsAnObject) {
  RouterFixture server;
  EXPECT_EQ(
      server.post("/models/mini", R"({"inputs":{"source_sentence":"a","sentences":["b"]}})").body,
      "[0.5]");
}

TEST(HuggingFaceRoutes, UnknownModelAndTaskAre404) {
  RouterFixture server;
  EXPECT_EQ(server.post("/models/none", R"({"inputs":"a"})").status, 404);
  EXPECT_EQ(server.post("/models/mini/pipeline/translation", R"({"inputs":"a"})").status, 404);
}

// --- KServe ---

TEST(KserveRoutes, DescribeServerAndModels) {
  RouterFixture server;
  EXPECT_EQ(server.get("/v2").body,
            R"({"name":"bertha","version":"0.0.0","extensions":["binary_tensor_data"]})");
  EXPECT_EQ(server.get("/v2/health/live").body, R"({"live":true})");
  EXPECT_EQ(server.get("/v2/health/ready").body, R"({"ready":true})");
  EXPECT_EQ(server.get("/v2/models").body,
            R"({"models":["qa","mlm","mini","mood","cross","names"]})");
  EXPECT_EQ(server.get("/v2/models/mini/versions/1").body,
            R"({"name":"mini","versions":["1"],"platform":"bertha",)"
            R"("inputs":[{"name":"text","datatype":"BYTES","shape":[-1]}],)"
            R"("outputs":[{"name":"embedding","datatype":"FP32","shape":[-1,2]}]})");
  EXPECT_EQ(server.get("/v2/models/mini/ready").body, R"({"name":"mini","ready":true})");
  EXPECT_EQ(server.get("/v2/models/mini/versions/2").status, 404);
  const HttpResponse missing = server.get("/v2/models/none");
  EXPECT_EQ(missing.status, 404);
  EXPECT_TRUE(Json::parse(missing.body)["error"].is_string());
}

Json text_input(const char* name, const Json& texts) {
  return {{"name", name}, {"shape", {texts.size()}}, {"datatype", "BYTES"}, {"data", texts}};
}

std::string infer_outputs(RouterFixture& server, const char* model, const Json& inputs) {
  const HttpResponse response =
      server.post("/v2/models/" + std::string(model) + "/infer", Json{{"inputs", inputs}}.dump());
  EXPECT_EQ(response.status, 200) << response.body;
  return Json::parse(response.body)["outputs"].dump();
}

TEST(KserveRoutes, InferRunsEachTask) {
  RouterFixture server;
  EXPECT_EQ(infer_outputs(server, "mini", Json::array({text_input("text", {"a", "b"})})),
            R"([{"data":[0.5,-1.0,0.5,-1.0],"datatype":"FP32","name":"embedding","shape":[2,2]}])");
  EXPECT_EQ(infer_outputs(server, "mood",
                          {text_input("text", Json::array({"a"})),
                           text_input("text_pair", Json::array({"b"}))}),
            R"([{"data":[0.25,0.75],"datatype":"FP32","name":"score","shape":[1,2]},)"
            R"({"data":["good"],"datatype":"BYTES","name":"label","shape":[1]}])");
  EXPECT_EQ(server.service.to_classify.inputs.at(0).pair, "b");
  EXPECT_EQ(infer_outputs(server, "names", Json::array({text_input("text", {"Anna", "Emil"})})),
            R"([{"data":[0,1],"datatype":"INT64","name":"text","shape":[2]},)"
            R"({"data":["PER","PER"],"datatype":"BYTES","name":"label","shape":[2]},)"
            R"({"data":[0.5,0.5],"datatype":"FP32","name":"score","shape":[2]},)"
            R"({"data":[0,0],"datatype":"INT64","name":"start","shape":[2]},)"
            R"({"data":[4,4],"datatype":"INT64","name":"end","shape":[2]}])");
  EXPECT_EQ(infer_outputs(server, "mlm", Json::array({text_input("text", Json::array({"a"}))})),
            R"([{"data":["sea"],"datatype":"BYTES","name":"token","shape":[1,1]},)"
            R"({"data":[0.5],"datatype":"FP32","name":"score","shape":[1,1]}])");
}

TEST(KserveRoutes, QuestionsAboutSeveralPassagesAreJoined) {
  RouterFixture server;
  EXPECT_EQ(infer_outputs(server, "qa",
                          {text_input("question", {"a", "none?", "c"}),
                           text_input("context", {"Anna", "Anna", "Berta"})}),
            R"([{"data":["Anna","","Bert"],"datatype":"BYTES","name":"answer","shape":[3]},)"
            R"({"data":[0,0,0],"datatype":"INT64","name":"start","shape":[3]},)"
            R"({"data":[4,0,4],"datatype":"INT64","name":"end","shape":[3]},)"
            R"({"data":[0.75,0.25,0.75],"datatype":"FP32","name":"score","shape":[3]},)"
            R"({"data":[0.25,0.25,0.25],"datatype":"FP32","name":"no_answer_score","shape":[3]}])");
  ASSERT_EQ(server.service.all_asked.size(), 2U);
  EXPECT_EQ(server.service.all_asked[0].questions, (std::vector<std::string>{"a", "none?"}));
  infer_outputs(server, "qa",
                {text_input("question", {"a", "b"}), text_input("context", Json::array({"C"}))});
  EXPECT_EQ(server.service.asked.questions.size(), 2U);
}

TEST(KserveRoutes, InferChecksItsInputs) {
  RouterFixture server;
  const auto status = [&](const char* model, const Json& inputs) {
    return server
        .post("/v2/models/" + std::string(model) + "/infer", Json{{"inputs", inputs}}.dump())
        .status;
  };
  EXPECT_EQ(status("mini", Json::array({text_input("other", Json::array({"a"}))})), 400);
  EXPECT_EQ(status("qa", Json::array({text_input("question", Json::array({"a"}))})), 400);
  EXPECT_EQ(
      status("qa", {text_input("question", {"a", "b", "c"}), text_input("context", {"a", "b"})}),
      400);
  EXPECT_EQ(
      status("mood", {text_input("text", {"a", "b"}), text_input("text_pair", Json::array({"a"}))}),
      400);
}

TEST(KserveRoutes, PriorityAndTimeoutReachTheService) {
  RouterFixture server;
  server.post("/v2/models/mini/infer", Json{{"inputs", {text_input("text", {"a"})}},
                                            {"parameters", {{"priority", 2}, {"timeout", 500'000}}}}
                                           .dump());
  const RequestContext& context = server.service.context;
  EXPECT_EQ(context.priority, Priority::kBatch);
  EXPECT_EQ(context.deadline - context.arrival, std::chrono::milliseconds(500));
}

// --- The server ---

TEST(ServerRoutes, HealthFollowsTheState) {
  RouterFixture server;
  for (const char* path : {"/health", "/ping", "/"}) {
    const HttpResponse ready = server.get(path);
    EXPECT_EQ(ready.status, 200);
    EXPECT_EQ(ready.body, "");
  }
  server.service.now = ServiceState::kLoading;
  EXPECT_EQ(server.get("/health").status, 503);
  EXPECT_EQ(server.get("/health").headers.get("Retry-After"), "1");
  EXPECT_EQ(server.get("/v2/health/live").status, 200);
  EXPECT_EQ(server.get("/v2/health/ready").status, 503);
  EXPECT_EQ(server.get("/v1/models").status, 503);
  EXPECT_EQ(server.post("/", R"({"inputs":"a"})").status, 503);
  server.service.now = ServiceState::kFailed;
  EXPECT_EQ(server.get("/v2/health/live").status, 503);
  EXPECT_EQ(server.get("/health").body,
            R"({"error":"a lane does not answer","error_type":"Unhealthy"})");
}

TEST(ServerRoutes, BrowsersGetThePageWithAStrictPolicy) {
  RouterFixture server;
  const HttpHeaders browser = {{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}};
  const HttpResponse page = server.get("/", browser);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_NE(page.headers.get("Content-Security-Policy").find("default-src 'none'"),
            std::string::npos);
  HttpHeaders again = browser;
  again.set("If-None-Match", std::string(page.headers.get("ETag")));
  EXPECT_EQ(server.get("/", again).status, 304);
  for (const PageAsset& asset : page_assets()) {
    EXPECT_EQ(server.get(std::string(asset.path), browser).body, asset.body) << asset.path;
  }
  EXPECT_EQ(server.get("/page/none.js").status, 404);
  RouterFixture bare({.page = false});
  EXPECT_EQ(bare.get("/", browser).body, "");
  EXPECT_EQ(bare.get("/page/page.js", browser).status, 404);
}

TEST(ServerRoutes, InfoHasTheFieldsOfTei) {
  RouterFixture server;
  const Json info = Json::parse(server.get("/info?model=mini").body);
  EXPECT_EQ(info["model_id"], "mini");
  EXPECT_EQ(info["model_dtype"], "bfloat16");
  EXPECT_EQ(info["model_type"]["embedding"]["pooling"], "mean");
  EXPECT_EQ(info["max_batch_tokens"], 2048);
  EXPECT_EQ(info["max_client_batch_size"], 2048);
  EXPECT_EQ(info["models"].size(), 6U);
  const Json mood = Json::parse(server.get("/info?model=mood").body);
  EXPECT_EQ(mood["model_type"]["classifier"]["label2id"]["good"], 1);
}

TEST(ServerRoutes, MetricsCountTheRequestsOfEachTask) {
  RouterFixture server;
  const auto has = [&](const std::string& line) {
    return server.get("/metrics").body.find(line + "\n") != std::string::npos;
  };
  EXPECT_TRUE(has("te_embed_count 0"));
  EXPECT_TRUE(has("te_request_failure{err=\"overloaded\"} 0"));
  EXPECT_TRUE(has("te_queue_size 3"));
  server.post("/embed", R"({"inputs":"a"})");
  server.post("/embed", R"({"inputs":["a","b"]})");
  server.service.refusal = ServeError{.kind = ErrorKind::kOverloaded, .message = "full"};
  server.post("/embed", R"({"inputs":"a"})");
  EXPECT_TRUE(has("te_embed_count 3"));
  EXPECT_TRUE(has("te_embed_success 2"));
  EXPECT_TRUE(has("te_request_count{method=\"batch\"} 1"));
  EXPECT_TRUE(has("te_request_count{method=\"single\"} 2"));
  EXPECT_TRUE(has("te_request_success{method=\"single\"} 1"));
  EXPECT_TRUE(has("te_request_failure{err=\"overloaded\"} 1"));
  EXPECT_TRUE(has("te_request_duration_count 2"));
}

}  // namespace
}  // namespace bertha::serve::test
