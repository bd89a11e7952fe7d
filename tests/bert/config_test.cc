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
      {"quantization_config", "8"},
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

/// The object that compressed-tensors 0.20.1 writes, with one of its values replaced.
std::string scheme_with(const std::string& from, const std::string& to) {
  std::string scheme = R"({"config_groups": {"group_0": {"format": "int-quantized",
      "input_activations": {"dynamic": true, "group_size": null, "num_bits": 8,
                            "strategy": "token", "symmetric": true, "type": "int"},
      "output_activations": null, "targets": ["Linear"],
      "weights": {"dynamic": false, "group_size": null, "num_bits": 8, "strategy": "channel",
                  "symmetric": true, "type": "int"}}},
    "format": "int-quantized", "global_compression_ratio": null, "ignore": ["pooler.dense"],
    "kv_cache_scheme": null, "quant_method": "compressed-tensors",
    "quantization_status": "compressed", "sparsity_config": {}, "transform_config": {}})";
  const size_t at = scheme.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return config_with("quantization_config", scheme.replace(at, from.size(), to));
}

TEST(Config, SchemeOfIntegersIsTaken) {
  EXPECT_TRUE(parse_config_file(scheme_with("8", "8"), "c.json").int8_weights);
  EXPECT_TRUE(parse_config_file(scheme_with("\"channel\"", "\"tensor\""), "c.json").int8_weights);
  EXPECT_FALSE(parse_config_file(config_with("quantization_config", "{}"), "c.json").int8_weights);
}

TEST(Config, OtherSchemesAreRefusedByTheirKeys) {
  struct Case {
    std::string from, to, key;
  };
  const Case cases[] = {
      {"\"quant_method\": \"compressed-tensors\"", "\"quant_method\": \"gptq\"", "quant_method"},
      {"\"compressed\"", "\"frozen\"", "quantization_status"},
      {"\"channel\"", "\"group\"", "config_groups.group_0.weights.strategy"},
      {"\"dynamic\": true", "\"dynamic\": false", "input_activations.dynamic"},
      {"\"num_bits\": 8", "\"num_bits\": 4", "input_activations.num_bits"},
      {"\"symmetric\": true, \"type\": \"int\"}}", "\"symmetric\": false, \"type\": \"int\"}}",
       "weights.symmetric"},
      {"\"output_activations\": null", "\"output_activations\": {\"num_bits\": 8}",
       "output_activations"},
      {"\"kv_cache_scheme\": null", "\"kv_cache_scheme\": {\"num_bits\": 8}", "kv_cache_scheme"},
      {"\"sparsity_config\": {}", "\"sparsity_config\": {\"format\": \"x\"}", "sparsity_config"}};
  for (const Case& one : cases) {
    const std::string error = error_of(scheme_with(one.from, one.to));
    EXPECT_EQ(error.find("c.json: \"quantization_config."), 0U) << error;
    EXPECT_NE(error.find(one.key + "\" is"), std::string::npos) << one.key << ": " << error;
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
