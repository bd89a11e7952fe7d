#include "cli/options.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace bertha::cli {
namespace {

struct Fields {
  std::string output = "out";
  int64_t batch = 32;
  double rate = 5e-5;
  bool packed = true;
  bool train = false;
  std::optional<std::string> json;
  std::vector<std::string> files;
  std::vector<std::string> rest;
};

Options table(Fields& fields) {
  Options options("bertha test", "A table for tests.");
  options.value("output_dir", fields.output, "where to");
  options.value("train_batch_size", fields.batch, "rows");
  options.value("learning_rate", fields.rate, "rate");
  options.value("enable_packed_data_mode", fields.packed, "packed");
  options.value("json-summary", fields.json, "log");
  options.values("input_files", fields.files, "files");
  options.flag("do_train", fields.train, "train");
  options.accepted("use_lazy_mode", true, "there is no lazy mode");
  options.positional("FILE...", fields.rest, 0, "more files");
  return options;
}

bool parse(Options& options, std::vector<std::string> words) {
  return options.parse(words);
}

TEST(Options, DashesUnderscoresEqualsAndPrefixesMeanTheSame) {
  Fields fields;
  Options options = table(fields);
  ASSERT_TRUE(parse(options, {"--output-dir=a", "--train_batch", "64", "--json_summary", "x.json",
                              "--learning_rate=-1e-3", "--do-train", "more"}));
  EXPECT_EQ(fields.output, "a");
  EXPECT_EQ(fields.batch, 64);
  EXPECT_EQ(fields.json, "x.json");
  EXPECT_DOUBLE_EQ(fields.rate, -1e-3);
  EXPECT_TRUE(fields.train);
  EXPECT_EQ(fields.rest, std::vector<std::string>{"more"});
  EXPECT_TRUE(options.given("train-batch-size"));
  EXPECT_FALSE(options.given("input_files"));
}

TEST(Options, ATextIsTrueOnlyIfItSaysTrue) {
  for (const auto& [text, expected] : std::vector<std::pair<std::string, bool>>{
           {"True", true}, {"TRUE", true}, {"false", false}, {"False", false}, {"1", false}}) {
    Fields fields;
    Options options = table(fields);
    ASSERT_TRUE(parse(options, {"--enable_packed_data_mode", text}));
    EXPECT_EQ(fields.packed, expected) << text;
  }
}

TEST(Options, ManyValuesEndAtTheNextOption) {
  Fields fields;
  Options options = table(fields);
  ASSERT_TRUE(parse(options, {"--input_files", "a", "b", "--do_train"}));
  EXPECT_EQ(fields.files, (std::vector<std::string>{"a", "b"}));
}

TEST(Options, AnAcceptedOptionIsNamedWithItsReason) {
  Fields fields;
  Options options = table(fields);
  ASSERT_TRUE(parse(options, {"--use_lazy_mode=True"}));
  EXPECT_EQ(options.notes(), std::vector<std::string>{"--use-lazy-mode: there is no lazy mode"});
}

std::string error_of(std::vector<std::string> words) {
  Fields fields;
  Options options = table(fields);
  try {
    options.parse(words);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Options, LettersStandForNames) {
  std::string bytes = "1M";
  bool compress = false;
  bool quiet = false;
  Options options("bertha test", "about");
  options.value("bytes", bytes, "size").letter('b');
  options.flag("compress", compress, "pack").letter('c');
  options.flag("quiet", quiet, "say nothing").letter('q');
  ASSERT_TRUE(parse(options, {"-b", "2K"}));
  EXPECT_EQ(bytes, "2K");
  ASSERT_TRUE(parse(options, {"-b3K", "-q"}));
  EXPECT_EQ(bytes, "3K");
  EXPECT_TRUE(quiet);
  EXPECT_FALSE(compress);
  ASSERT_TRUE(parse(options, {"-cb", "4K"}));
  EXPECT_EQ(bytes, "4K");
  EXPECT_TRUE(compress);
  EXPECT_THROW(parse(options, {"-x"}), Error);
  EXPECT_THROW(parse(options, {"-qx"}), Error);
  EXPECT_THROW(parse(options, {"-b"}), Error);
  EXPECT_NE(options.help().find("-b, --bytes TEXT"), std::string::npos);
}

TEST(Options, MistakesAreNamed) {
  EXPECT_NE(error_of({"--nonsense"}).find("unknown option --nonsense"), std::string::npos);
  EXPECT_NE(error_of({"--train_batch_size", "many"}).find("whole number"), std::string::npos);
  EXPECT_NE(error_of({"--train_batch_size", "3x"}).find("\"3x\""), std::string::npos);
  EXPECT_NE(error_of({"--train_batch_size", "99999999999999999999"}), "");
  EXPECT_NE(error_of({"--learning_rate", "nan"}), "");
  EXPECT_NE(error_of({"--output_dir"}).find("needs a value"), std::string::npos);
  EXPECT_NE(error_of({"--do_train=yes"}).find("takes no value"), std::string::npos);
}

TEST(Options, HelpListsEveryOptionWithItsDefault) {
  Fields fields;
  const std::string help = table(fields).help();
  for (const char* text : {"--output-dir TEXT", "(default: out)", "(default: 5e-05)", "--do-train",
                           "FILE...", "no lazy mode"}) {
    EXPECT_NE(help.find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace bertha::cli
