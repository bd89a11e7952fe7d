#include "bert/config.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/files.h"

namespace bertha::bert {
namespace {

std::string config_with(const std::string& key, const std::string& value) {
  std::string text = R"({"vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12,)"
                     R"("num_attention_heads": 12, "intermediate_size": 3072)";
  return text + ", \"" + key + "\": " + value + "}";
}

std::string error_of(const std::string& text) {
  try {
    parse_config(text, "c.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Config, BothKindsOfFileSayTheSame) {
  Config config = parse_config(config_with("layer_norm_eps", "1e-5"), "c.json");
  EXPECT_EQ(config.layer_norm_eps, 1e-5);
  EXPECT_EQ(config.padded().vocab_size, 30528);
  EXPECT_EQ(parse_config(hugging_face_config_json(config, {.architecture = "BertModel"}), "c.json"),
            config);
  EXPECT_EQ(parse_config(recipe_config_json(config), "c.json"), config);
}

TEST(Config, HostileValuesAreRefusedByName) {
  for (const char* value :
       {"0", "-1", "1e9", "99999999999999999999", "\"768\"", "[]", "{}", "true", "1.5"}) {
    EXPECT_NE(error_of(config_with("max_position_embeddings", value)).find("max_position"),
              std::string::npos)
        << value;
  }
  EXPECT_NE(error_of(config_with("hidden_dropout_prob", "1.5")).find("hidden_dropout_prob"),
            std::string::npos);
  EXPECT_NE(error_of(config_with("hidden_act", "\"mish\"")).find("hidden_act"), std::string::npos);
  EXPECT_NE(error_of(config_with("hidden_size", "767")).find("not a multiple"), std::string::npos);
  EXPECT_NE(error_of("{\"vocab_size\": 8}").find("hidden_size"), std::string::npos);
  for (const std::string& text : {std::string(), std::string("[1]"), std::string("\xff\xfe{}"),
                                  std::string(500'000, '['), std::string("{\"a\":\0}", 7)}) {
    EXPECT_NE(error_of(text).find("c.json: expected a JSON object"), std::string::npos);
  }
}

TEST(Config, ValueThatIsNotImplementedIsRefusedByKeyAndValue) {
  const std::pair<const char*, const char*> cases[] = {
      {"model_type", "\"albert\""},
      {"is_decoder", "true"},
      {"is_encoder_decoder", "true"},
      {"add_cross_attention", "true"},
      {"position_embedding_type", "\"relative_key\""},
      {"pruned_heads", R"({"0": [1]})"},
      {"quantization_config", R"({"bits": 8})"},
      {"auto_map", R"({"AutoModel": "modeling.Model"})"},
      {"hidden_act", "\"gelu_10\""},
      {"problem_type", "\"ranking\""},
      {"id2label", R"({"0": "a", "2": "b"})"},
      {"architectures", "\"BertModel\""},
      {"tie_word_embeddings", "1"}};
  for (const auto& [key, value] : cases) {
    const std::string error = error_of(config_with(key, value));
    EXPECT_EQ(error.find(std::string("c.json: \"") + key + "\""), 0U) << key << ": " << error;
  }
}

TEST(Config, ValuesThatChangeNothingAreAccepted) {
  for (const char* pair :
       {R"("is_decoder": false)", R"("pruned_heads": {})", R"("auto_map": null)",
        R"("use_cache": true)", R"("directionality": "bidi")", R"("model_type": "bert")"}) {
    const ConfigFile file = parse_config_file(
        "{" + std::string(pair) + "," + config_with("top_k", "50").substr(1), "c.json");
    EXPECT_EQ(file.config, parse_config(config_with("top_k", "50"), "c.json")) << pair;
    EXPECT_EQ(file.note, "") << pair;
  }
}

TEST(Config, UnknownKeysAreNoted) {
  EXPECT_EQ(parse_config_file(config_with("colour", "1"), "c.json").note,
            "c.json: not known and ignored: colour");
}

TEST(Config, PositionsOfRobertaStartBehindThePaddingToken) {
  const Config usual = parse_config(config_with("model_type", "\"roberta\""), "c.json");
  EXPECT_EQ(usual.position_offset, 2);
  EXPECT_EQ(usual.max_tokens(), 510);
  const std::string rest = config_with("model_type", "\"roberta\"").substr(1);
  const Config first = parse_config(R"({"pad_token_id": 0,)" + rest, "c.json");
  EXPECT_EQ(first.position_offset, 1);
  EXPECT_EQ(parse_config(config_with("pad_token_id", "5"), "c.json").position_offset, 0);
  EXPECT_EQ(parse_config(config_with("architectures", R"(["RobertaModel"])"), "c.json").model_type,
            "roberta");
}

TEST(Config, NamesOfOneActivationAreEqual) {
  const auto act = [](const char* name) {
    return parse_config(config_with("hidden_act", name), "c.json").hidden_act;
  };
  EXPECT_EQ(act("\"gelu_python\""), ops::Activation::kGelu);
  EXPECT_EQ(act("\"gelu_fast\""), act("\"gelu_new\""));
  EXPECT_EQ(act("\"swish\""), act("\"silu\""));
  EXPECT_EQ(act("\"relu\""), ops::Activation::kRelu);
}

TEST(Config, AHugeFileIsNotRead) {
  const test::TemporaryFolder folder;
  test::write_all(folder.file("config.json"), std::string(size_t{2} << 20, ' '));
  EXPECT_THROW(load_config(folder.file("config.json")), Error);
  EXPECT_THROW(load_config(folder.path()), Error);
}

}  // namespace
}  // namespace bertha::bert
