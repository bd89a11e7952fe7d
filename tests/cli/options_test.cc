#include "cli/options.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "cli/help_text.h"
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
  std::string precision = "fp32";
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
  options.choice("precision", fields.precision, {"fp32", "fp16", "bf16"}, "arithmetic");
  options.flag("do_train", fields.train, "train");
  options.accepted("use_lazy_mode", true, "there is no lazy mode");
  options.positional("FILE...", fields.rest, 0, "more files");
  return options;
}

void parse(Options& options, const std::vector<std::string>& words) {
  options.parse(words);
}

TEST(Options, DashesUnderscoresEqualsAndPrefixesMeanTheSame) {
  Fields fields;
  Options options = table(fields);
  parse(options, {"--output-dir=a", "--train_batch", "64", "--json_summary", "x.json",
                  "--learning_rate=-1e-3", "--do-train", "more"});
  EXPECT_EQ(fields.output, "a");
  EXPECT_EQ(fields.batch, 64);
  EXPECT_EQ(fields.json, "x.json");
  EXPECT_DOUBLE_EQ(fields.rate, -1e-3);
  EXPECT_TRUE(fields.train);
  EXPECT_EQ(fields.rest, std::vector<std::string>{"more"});
  EXPECT_TRUE(options.given("train-batch-size"));
  EXPECT_FALSE(options.given("input_files"));
}

TEST(Options, ATruthValueIsReadInAnyCase) {
  for (const auto& [text, expected] : std::vector<std::pair<std::string, bool>>{
           {"True", true}, {"TRUE", true}, {"true", true}, {"false", false}, {"False", false}}) {
    Fields fields;
    fields.packed = !expected;
    Options options = table(fields);
    parse(options, {"--enable_packed_data_mode", text});
    EXPECT_EQ(fields.packed, expected) << text;
  }
}

TEST(Options, ManyValuesEndAtTheNextOption) {
  Fields fields;
  Options options = table(fields);
  parse(options, {"--input_files", "a", "b", "--do_train"});
  EXPECT_EQ(fields.files, (std::vector<std::string>{"a", "b"}));
}

TEST(Options, AnAcceptedOptionIsNamedWithItsReason) {
  Fields fields;
  Options options = table(fields);
  parse(options, {"--use_lazy_mode=True"});
  EXPECT_EQ(options.notes(), std::vector<std::string>{"--use-lazy-mode: there is no lazy mode"});
}

std::string error_of(const std::vector<std::string>& words) {
  Fields fields;
  Options options = table(fields);
  try {
    options.parse(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Options, AWordThatIsNeitherTrueNorFalseIsAnError) {
  for (const char* word : {"1", "0", "yes", "no", "none", "truee", "\"\""}) {
    EXPECT_EQ(error_of({"--enable_packed_data_mode", word}),
              fmt::format("--enable-packed-data-mode {}: expected true or false", word));
  }
}

TEST(Options, AWordOutsideAChoiceIsAnError) {
  EXPECT_EQ(error_of({"--precision=fp64"}), "--precision fp64: expected fp32, fp16 or bf16");
  EXPECT_EQ(error_of({"--precision="}), "--precision \"\": expected fp32, fp16 or bf16");
  Fields fields;
  Options options = table(fields);
  parse(options, {"--precision", "fp16"});
  EXPECT_EQ(fields.precision, "fp16");
}

TEST(Options, AnUnknownOptionNamesTheNearestOne) {
  EXPECT_EQ(error_of({"--learning_rte=1"}),
            "unknown option --learning-rte; did you mean --learning-rate?");
  EXPECT_EQ(error_of({"--lr", "1"}), "unknown option --lr; did you mean --learning-rate?");
  EXPECT_EQ(error_of({"--batch-size=3"}),
            "unknown option --batch-size; did you mean --train-batch-size?");
  EXPECT_EQ(error_of({"--outputdir=x"}), "unknown option --outputdir; did you mean --output-dir?");
  EXPECT_EQ(error_of({"--nonsense"}),
            "unknown option --nonsense; bertha test --help lists all options");
}

TEST(Options, LettersStandForNames) {
  std::string bytes = "1M";
  bool compress = false;
  bool quiet = false;
  Options options("bertha test", "about");
  options.value("bytes", bytes, "size").letter('b');
  options.flag("compress", compress, "pack").letter('c');
  options.flag("quiet", quiet, "say nothing").letter('q');
  parse(options, {"-b", "2K"});
  EXPECT_EQ(bytes, "2K");
  parse(options, {"-b3K", "-q"});
  EXPECT_EQ(bytes, "3K");
  EXPECT_TRUE(quiet);
  EXPECT_FALSE(compress);
  parse(options, {"-cb", "4K"});
  EXPECT_EQ(bytes, "4K");
  EXPECT_TRUE(compress);
  EXPECT_THROW(parse(options, {"-x"}), Error);
  EXPECT_THROW(parse(options, {"-qx"}), Error);
  EXPECT_THROW(parse(options, {"-b"}), Error);
  EXPECT_NE(help_text(options.page(), 80, false).find("-b, --bytes TEXT"), std::string::npos);
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
  const std::string help = help_text(table(fields).page(), 80, false);
  for (const char* text : {"--output-dir TEXT", "(default: out)", "(default: 5e-05)", "--do-train",
                           "FILE...", "fp32|fp16|bf16"}) {
    EXPECT_NE(help.find(text), std::string::npos) << text;
  }
}

TEST(Options, HelpShowsTheDefaultThatATypedValueReplaced) {
  Fields fields;
  Options options = table(fields);
  try {
    parse(options, {"--output_dir=typed", "--help"});
    FAIL() << "no help";
  } catch (const HelpRequested& help) {
    EXPECT_FALSE(help.all);
    EXPECT_NE(help_text(help.page, 80, false).find("(default: out)"), std::string::npos);
  }
}

TEST(Options, AcceptedOptionsAreInHelpAllAlone) {
  Fields fields;
  const CommandPage page = table(fields).page();
  EXPECT_EQ(help_text(page, 80, false).find("--use-lazy-mode"), std::string::npos);
  EXPECT_NE(help_text(page, 80, false).find("--help-all also shows one option"), std::string::npos);
  EXPECT_NE(help_text(page, 80, true).find("--use-lazy-mode"), std::string::npos);
  Options options = table(fields);
  EXPECT_THROW(parse(options, {"--help_all"}), HelpRequested);
}

TEST(Options, HelpHasExamplesBeforeOptionsAndFitsTheWidth) {
  Fields fields;
  Options options = table(fields);
  options.example("bertha test --output-dir=somewhere --learning-rate=0.001 --do-train a b c d e f",
                  "Train on six files");
  for (const size_t width : {44UL, 80UL}) {
    const std::string help = help_text(options.page(), width, true);
    EXPECT_LT(help.find("# Train on six files"), help.find("--output-dir TEXT"));
    EXPECT_LT(help.find("bertha test"), help.find("--output-dir TEXT"));
    for (size_t begin = 0; begin < help.size();) {
      const size_t end = help.find('\n', begin);
      EXPECT_LE(end - begin, width) << help.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

TEST(Options, HeadingsDivideTheOptionsOfHelp) {
  bool first = false;
  bool second = false;
  Options options("bertha test", "about");
  options.heading("one").flag("first", first, "f").accepted("nothing", false, "why");
  options.heading("two").flag("second", second, "s");
  const std::string help = help_text(options.page(), 80, true);
  EXPECT_LT(help.find("\none\n"), help.find("--first"));
  EXPECT_LT(help.find("--first"), help.find("\ntwo\n"));
  EXPECT_LT(help.find("\ntwo\n"), help.find("--second"));
  EXPECT_LT(help.find("--second"), help.find("without effect\n"));
  EXPECT_LT(help.find("without effect\n"), help.find("--nothing"));
}

TEST(MessageOptions, AreTakenByEveryCommandUnlessItHasItsOwn) {
  const auto level = spdlog::get_level();
  std::string out;
  Options options("bertha x", "about");
  options.value("out", out, "file");
  parse(options, {"-q", "--out=a"});
  EXPECT_EQ(spdlog::get_level(), spdlog::level::warn);
  parse(options, {"--log_level", "debug", "--out=b"});
  EXPECT_EQ(spdlog::get_level(), spdlog::level::debug);
  EXPECT_EQ(out, "b");
  EXPECT_THROW(parse(options, {"--log-level=loud"}), UsageError);
  EXPECT_THROW(parse(options, {"--log-level"}), UsageError);
  bool quiet = false;
  Options own("bertha y", "about");
  own.flag("quiet", quiet, "the command's own").letter('q');
  parse(own, {"-q"});
  EXPECT_TRUE(quiet);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::debug) << "the own option says nothing of messages";
  EXPECT_EQ(std::ranges::count(own.page().options, "quiet", &OptionRow::name), 1);
  spdlog::set_level(level);
}

}  // namespace
}  // namespace bertha::cli
