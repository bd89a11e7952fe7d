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
  EXPECT_EQ(parse_config(hugging_face_config_json(config, "BertModel"), "c.json"), config);
  config.layer_norm_eps = Config().layer_norm_eps;  // which bert_config.json does not have
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
  EXPECT_NE(error_of(config_with("hidden_act", "\"relu\"")).find("hidden_act"), std::string::npos);
  EXPECT_NE(error_of(config_with("hidden_size", "767")).find("not a multiple"), std::string::npos);
  EXPECT_NE(error_of("{\"vocab_size\": 8}").find("hidden_size"), std::string::npos);
  for (const std::string& text : {std::string(), std::string("[1]"), std::string("\xff\xfe{}"),
                                  std::string(500'000, '['), std::string("{\"a\":\0}", 7)}) {
    EXPECT_NE(error_of(text).find("c.json: expected a JSON object"), std::string::npos);
  }
}

TEST(Config, AHugeFileIsNotRead) {
  const test::TemporaryFolder folder;
  test::write_all(folder.file("config.json"), std::string(size_t{2} << 20, ' '));
  EXPECT_THROW(load_config(folder.file("config.json")), Error);
  EXPECT_THROW(load_config(folder.path()), Error);
}

}  // namespace
}  // namespace bertha::bert
