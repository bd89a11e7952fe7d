// bertha convert, inspect and embed as a user runs them, on a tiny encoder that PyTorch made
// (fixtures/README.md).

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/program.h"
#include "io/weights/torch_file.h"
#include "support/files.h"
#include "support/paths.h"
#include "support/samples.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Outcome;
using test::read_all;

const std::string kEncoder = test::tests_path("cli/fixtures/tiny_encoder");

class CheckpointCommands : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.file(name); }

  Outcome run(const std::vector<std::string>& arguments) const {
    const std::string out = logs_.file("out");
    const std::string error = logs_.file("error");
    return test::wait_for_program(test::start_program(arguments, out, error), out, error);
  }
  void convert(const std::string& in, const std::string& out,
               std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"convert", in, out};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    EXPECT_EQ(outcome.printed, "");
  }
  json inspect(const std::vector<std::string>& arguments, int status = 0) const {
    std::vector<std::string> words = {"inspect", "--json"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, status) << outcome.said;
    return json::parse(outcome.printed);
  }
  void expect_same(const std::string& a, const std::string& b) const {
    const Outcome outcome = run({"inspect", a, "--diff", b});
    EXPECT_EQ(outcome.status, 0) << outcome.printed << outcome.said;
  }
  /// One error that names all of `parts`, a status that is not 0, nothing printed or left.
  void expect_error(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& parts, int status = 1) const {
    const auto names = [&] {
      std::vector<std::string> found;
      for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
        found.push_back(entry.path().string());
      }
      return found;
    };
    const std::vector<std::string> before = names();
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.said;
    EXPECT_EQ(outcome.printed, "");
    test::expect_one_error(outcome, parts);
    EXPECT_EQ(names(), before);
  }
  static constexpr int kUsage = 2;  ///< status of a wrong command line
  static json expected() { return json::parse(read_all(kEncoder + "/expected.json")); }
  /// The expected texts in a file, a line each.
  std::string texts() const {
    std::ofstream file(path("texts.txt"));
    for (const json& row : expected()) file << row["text"].get<std::string>() << "\n";
    return path("texts.txt");
  }

 private:
  test::TemporaryFolder folder_;
  test::TemporaryFolder logs_;
};

TEST_F(CheckpointCommands, ConvertToEveryFormatAndBackKeepsTheWeights) {
  convert(kEncoder, path("model.pt"));
  expect_same(kEncoder, path("model.pt"));
  // A file alone has no config beside it; the tokenizer comes along from where it is named.
  const std::vector<std::string> beside = {"--config_file", kEncoder + "/config.json",
                                           "--vocab_file", kEncoder + "/vocab.txt"};
  convert(path("model.pt"), path("hf"), beside);
  expect_same(kEncoder, path("hf"));
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json",
                           "tokenizer_config.json", "vocab.txt"}) {
    EXPECT_TRUE(fs::exists(path("hf/") + name)) << name;
  }
  EXPECT_EQ(read_all(path("hf/vocab.txt")), read_all(kEncoder + "/vocab.txt"));
  const json config = json::parse(read_all(path("hf/config.json")));
  EXPECT_EQ(config["architectures"], json({"BertModel"}));
  EXPECT_EQ(config["vocab_size"], 116);
  convert(path("hf"), path("again.bin"), {"--to", "pt"});
  EXPECT_EQ(inspect({path("again.bin")})["tensors"], inspect({path("model.pt")})["tensors"]);
  convert(path("hf"), path("model.onnx"));
  const std::string onnx = read_all(path("model.onnx"));
  for (const char* name : {"input_ids", "attention_mask", "last_hidden_state", "pooler_output"}) {
    EXPECT_NE(onnx.find(name), std::string::npos) << name;
  }
  convert(path("hf"), path("onnx-too"), {"--to=onnx"});
  EXPECT_EQ(read_all(path("onnx-too")), onnx);
}

TEST_F(CheckpointCommands, ConvertNarrowsTypesAndKeepsThemByDefault) {
  for (const std::string type : {"bf16", "fp16"}) {
    convert(kEncoder, path(type), {"--dtype", type});
    const json narrow = inspect({path(type)});
    EXPECT_EQ(narrow["tensors"].size(), 39U);
    for (const json& tensor : narrow["tensors"]) {
      EXPECT_EQ(tensor["dtype"], type == "bf16" ? "bf16" : "f16");
    }
    const json diff = inspect({path(type), "--diff", kEncoder}, 1);
    EXPECT_NE(diff.dump().find("embeddings.word_embeddings.weight"), std::string::npos);
    convert(path(type), path(type + "-again"));  // as in the file
    expect_same(path(type), path(type + "-again"));
    convert(path(type), path(type + ".pt"), {"--dtype", "fp32"});
    expect_same(path(type), path(type + ".pt"));
  }
}

TEST_F(CheckpointCommands, InspectShowsConfigAndTensors) {
  const json file = inspect({kEncoder});
  EXPECT_EQ(file["format"], "safetensors");
  EXPECT_EQ(file["config"]["hidden_size"], 16);
  EXPECT_EQ(file["tensors"].size(), 39U);
  double square = 0;
  for (const json& tensor : file["tensors"]) {
    EXPECT_EQ(tensor["nan"], 0);
    if (tensor["name"] != "embeddings.word_embeddings.weight") continue;
    EXPECT_EQ(tensor["shape"], json({116, 16}));
    square = tensor["norm"].get<double>();
  }
  EXPECT_NEAR(square, 0.5 * std::sqrt(116 * 16), 1.5);  // drawn with a deviation of 0.5
  const Outcome text = run({"inspect", kEncoder});
  EXPECT_EQ(text.status, 0);
  EXPECT_NE(text.printed.find("embeddings.word_embeddings.weight"), std::string::npos);
  EXPECT_NE(text.printed.find("[116, 16]"), std::string::npos);
}

TEST_F(CheckpointCommands, DiffNamesTheTensorThatDiffers) {
  convert(kEncoder, path("a.safetensors"), {"--to", "hf"});
  std::string bytes = read_all(path("a.safetensors/model.safetensors"));
  bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
  test::write_all(path("a.safetensors/model.safetensors"), bytes);
  const Outcome outcome = run({"inspect", kEncoder, "--diff", path("a.safetensors")});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.said, "");
  EXPECT_NE(outcome.printed.find("pooler.dense"), std::string::npos) << outcome.printed;
  EXPECT_EQ(outcome.printed.find("embeddings"), std::string::npos) << outcome.printed;
}

TEST_F(CheckpointCommands, EmbeddingsEqualThoseOfPyTorch) {
  const std::vector<std::string> words = {"embed",           "--init_checkpoint", kEncoder,
                                          "--do_lower_case", "--input",           texts()};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    return outcome.printed;
  };
  const auto check = [&](const std::string& printed, const char* key) {
    std::istringstream lines(printed);
    for (const json& row : expected()) {
      std::string line;
      ASSERT_TRUE(std::getline(lines, line));
      const json vector = json::parse(line);
      ASSERT_EQ(vector.size(), row[key].size());
      for (size_t i = 0; i < vector.size(); ++i) {
        EXPECT_NEAR(vector[i].get<double>(), row[key][i].get<double>(), 1e-5) << row["text"];
      }
    }
  };
  check(with({}), "mean");
  check(with({"--pooling", "cls", "--normalize", "false"}), "cls");
  with({"--output", path("vectors.npy")});
  const std::string npy = read_all(path("vectors.npy"));
  EXPECT_NE(npy.find("'shape': (5, 16)"), std::string::npos);
  EXPECT_EQ(npy.size(), 128U + 5 * 16 * 4);
  std::ofstream(path("texts.jsonl")) << "\"Hello, World\"\n{\"body\": \"\"}\n";
  const Outcome jsonl = run({"embed", "--init_checkpoint", kEncoder, "--do_lower_case", "--input",
                             path("texts.jsonl"), "--text_key", "body"});
  EXPECT_EQ(jsonl.status, 0) << jsonl.said;
  EXPECT_EQ(jsonl.printed, with({}).substr(0, jsonl.printed.size()));  // its first two lines
}

TEST_F(CheckpointCommands, EmbedReadsTextThatIsCompressedAndPassesOverEmptyJsonLines) {
  const auto embed = [&](const std::string& input) {
    const Outcome outcome = run({"embed", "--init_checkpoint", kEncoder, "--input", input});
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    return outcome.printed;
  };
  test::write_all(path("plain.txt"), "Hello, World\nthe quick brown fox\n");
  const std::string expected = embed(path("plain.txt"));
  EXPECT_EQ(std::count(expected.begin(), expected.end(), '\n'), 2);
  test::write_all(path("packed.txt"), test::bzip2(read_all(path("plain.txt"))));
  EXPECT_EQ(embed(path("packed.txt")), expected);
  test::write_all(path("rows.jsonl"),
                  "\n{\"text\": \"Hello, World\"}\n  \n\"the quick brown fox\"\r\n\n");
  EXPECT_EQ(embed(path("rows.jsonl")), expected);
}

TEST_F(CheckpointCommands, EmbedNamesWhatIsNoText) {
  const auto with = [&](const std::string& name, const std::string& contents) {
    test::write_all(path(name), contents);
    return std::vector<std::string>{"embed", "--init_checkpoint", kEncoder, "--input", path(name)};
  };
  expect_error(with("latin1.txt", "na\xEFve\n"), {"latin1.txt: byte 2 is not UTF-8 text (line 1)"});
  expect_error(with("rows.json", "[{\"text\": \"a\"}]"), {"rows.json: a JSON document", "jq -c"});
  expect_error(with("wide.txt", std::string("\xFF\xFEh\0i\0", 6)), {"wide.txt: UTF-16 text"});
}

TEST_F(CheckpointCommands, InspectNamesCodeAndTypesThatAreNotConverted) {
  io::TorchWriter writer;
  io::PickleTree& tree = writer.tree();
  io::PickleValue& root = tree.ordered_dict();
  const std::vector<float> values = {1, 2};
  tree.set(root, "w",
           writer.tensor(DType::kF32, std::vector<int64_t>{2}, std::as_bytes(std::span(values))));
  io::PickleValue& arguments = tree.tuple();
  arguments.append(tree.string("touch " + path("ran")));
  tree.set(root, "evil", tree.object("posix.system", arguments));
  writer.save(path("evil.pt"), root);
  EXPECT_EQ(inspect({path("evil.pt")})["refused_globals"], json::array({"posix.system"}));
  const Outcome text = run({"inspect", path("evil.pt")});
  EXPECT_NE(text.printed.find("code that was not run"), std::string::npos) << text.printed;
  EXPECT_FALSE(fs::exists(path("ran")));
  const std::string header = R"({"h":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},)"
                             R"("i":{"dtype":"I16","shape":[],"data_offsets":[2,4]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  test::write_all(path("t.safetensors"), bytes + header + "abcd");
  const json tensors = inspect({path("t.safetensors")})["tensors"];
  EXPECT_EQ(tensors[0], json::parse(R"({"name": "h", "dtype": "F8_E4M3", "shape": [2]})"));
  EXPECT_EQ(tensors[1]["dtype"], "I16");
  EXPECT_NE(run({"inspect", path("t.safetensors")}).printed.find("not converted"),
            std::string::npos);
}

TEST_F(CheckpointCommands, MissingHeadIsAWarningThatNamesTheFileAndTheRemedy) {
  const Outcome fill = run({"fill", "--init_checkpoint", kEncoder, "a [MASK]"});
  EXPECT_EQ(fill.status, 0) << fill.said;
  EXPECT_NE(fill.said.find("warning: " + kEncoder +
                           " has no masked language model head: the words "
                           "are random; pre-train it first"),
            std::string::npos)
      << fill.said;
  const Outcome ask = run(
      {"ask", "--init_checkpoint", kEncoder, "--passage", "a red house", "--question", "what?"});
  EXPECT_EQ(ask.status, 0) << ask.said;
  EXPECT_NE(ask.said.find("has no question answering head: the answers are random"),
            std::string::npos)
      << ask.said;
}

TEST_F(CheckpointCommands, MissingEncoderTensorIsAnErrorOfEmbedAndAWarningOfFill) {
  fs::copy(kEncoder, path("short"));
  json config = json::parse(read_all(path("short/config.json")));
  config["num_hidden_layers"] = 3;
  test::write_all(path("short/config.json"), config.dump());
  expect_error({"embed", "--init_checkpoint", path("short"), "--input", texts()},
               {"short: bert.encoder.layer.2", "is missing"});
  const Outcome fill = run({"fill", "--init_checkpoint", path("short"), "a [MASK]"});
  EXPECT_EQ(fill.status, 0) << fill.said;
  EXPECT_NE(fill.said.find("gets random values"), std::string::npos) << fill.said;
}

TEST_F(CheckpointCommands, EmbedReadsWhatConvertWrote) {
  convert(kEncoder, path("hf"));
  const std::string input = texts();
  const auto embed = [&](const std::string& model) {
    return run({"embed", "--init_checkpoint", model, "--config_file", kEncoder + "/config.json",
                "--vocab_file", kEncoder + "/vocab.txt", "--input", input});
  };
  convert(path("hf"), path("m.pt"));
  const Outcome direct = embed(kEncoder);
  EXPECT_EQ(direct.status, 0) << direct.said;
  EXPECT_EQ(embed(path("hf")).printed, direct.printed);
  EXPECT_EQ(embed(path("m.pt")).printed, direct.printed);
}

TEST_F(CheckpointCommands, SeveralPoolingsAreJoined) {
  const auto vector_of = [&](const std::string& pooling) {
    const Outcome outcome = run({"embed", "--init_checkpoint", kEncoder, "--input", texts(),
                                 "--normalize", "false", "--pooling", pooling});
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    return json::parse(outcome.printed.substr(0, outcome.printed.find('\n')));
  };
  json expected = vector_of("max");
  for (const json& value : vector_of("lasttoken")) expected.push_back(value);
  EXPECT_EQ(vector_of("max,lasttoken"), expected);
}

TEST_F(CheckpointCommands, FolderOfIntegersStatesItsScheme) {
  convert(kEncoder, path("int8"), {"--dtype", "int8"});
  const json file = inspect({path("int8")});
  EXPECT_EQ(file["quantization"], "compressed-tensors int-quantized");
  int64_t integers = 0;
  for (const json& tensor : file["tensors"]) {
    const auto name = tensor["name"].get<std::string>();
    const bool in_layer = name.find(".layer.") != std::string::npos;
    const bool is_matrix = tensor["shape"].size() == 2 && name.ends_with(".weight");
    EXPECT_EQ(tensor["dtype"], in_layer && is_matrix ? "i8" : "f32") << name;
    integers += tensor["dtype"] == "i8" ? 1 : 0;
  }
  EXPECT_EQ(integers, 12) << "six matrices in each of two layers";
  const json scheme = json::parse(read_all(path("int8/config.json")))["quantization_config"];
  EXPECT_EQ(scheme["quant_method"], "compressed-tensors");
  EXPECT_EQ(scheme["format"], "int-quantized");
  EXPECT_EQ(scheme["ignore"], json({"pooler.dense"}));
  convert(path("int8"), path("again"), {"--dtype", "int8"});
  EXPECT_EQ(read_all(path("again/model.safetensors")), read_all(path("int8/model.safetensors")));
  convert(path("int8"), path("wide.pt"));
  for (const json& tensor : inspect({path("wide.pt")})["tensors"])
    EXPECT_EQ(tensor["dtype"], "f32");
}

TEST_F(CheckpointCommands, EmbeddingsOfIntegersAreTheSameFromBothFolders) {
  convert(kEncoder, path("int8"), {"--dtype", "int8"});
  const auto embed = [&](const std::string& folder, const std::string& precision) {
    const Outcome outcome =
        run({"embed", "--checkpoint", folder, "--input", texts(), "--precision", precision});
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    return outcome.printed;
  };
  const std::string integers = embed(kEncoder, "int8");
  EXPECT_EQ(embed(path("int8"), "int8"), integers);
  const std::string exact = embed(kEncoder, "fp32");
  EXPECT_NE(integers, exact);
  std::istringstream a(exact);
  std::istringstream b(integers);
  int64_t lines = 0;
  for (std::string left, right; std::getline(a, left) && std::getline(b, right); ++lines) {
    double cosine = 0;
    const json x = json::parse(left);
    const json y = json::parse(right);
    for (size_t i = 0; i < x.size(); ++i) cosine += x[i].get<double>() * y[i].get<double>();
    EXPECT_GT(cosine, 0.999);
  }
  EXPECT_EQ(lines, std::ssize(expected()));
}

TEST_F(CheckpointCommands, ErrorsOfIntegersAreShownProductByProduct) {
  const json report = inspect({kEncoder, "--quantisation"});
  ASSERT_EQ(report["products"].size(), 8U);
  for (const json& product : report["products"]) {
    EXPECT_GT(product["weight"], 0.001) << product;
    EXPECT_LT(product["weight"], 0.01) << product;
    EXPECT_GT(product["result"], 0.001) << product;
    EXPECT_LT(product["result"], 0.03) << product;
  }
  EXPECT_NE(inspect({kEncoder, "--quantisation", "--text", texts()})["products"],
            report["products"]);
  const Outcome outcome = run({"inspect", kEncoder, "--quantisation"});
  EXPECT_NE(outcome.printed.find("bert.encoder.layer.1.output.dense.weight"), std::string::npos);
  expect_error({"inspect", kEncoder, "--text", texts()}, {"--text goes with --quantisation"});
}

TEST_F(CheckpointCommands, ErrorsAreOneLineAndLeaveNothing) {
  convert(kEncoder, path("m.pt"));
  expect_error({"convert", kEncoder}, {"IN OUT is required"}, kUsage);
  expect_error({"convert", path("no"), path("x.pt")}, {path("no")});
  expect_error({"convert", kEncoder, path("x.zip")}, {"x.zip", "--to"});
  expect_error({"convert", kEncoder, path("x.pt"), "--to", "h5"}, {"--to h5", "pt, hf or onnx"},
               kUsage);
  expect_error({"convert", kEncoder, path("x.pt"), "--dtype", "int4"}, {"--dtype int4"}, kUsage);
  for (const char* out : {"x.pt", "x.onnx"}) {
    expect_error({"convert", kEncoder, path(out), "--dtype", "int8"}, {"--dtype int8", "--to hf"});
  }
  expect_error({"convert", kEncoder, path("no/x.pt")}, {"no/x.pt", "does not exist"});
  expect_error({"convert", kEncoder, path("no/x")}, {"no/x"});
  expect_error({"convert", path("m.pt"), path("x")}, {"m.pt", "config"});
  std::string damaged = read_all(path("m.pt"));
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 4);
  test::write_all(path("bad.pt"), damaged);
  const std::string config = "--config_file=" + kEncoder + "/config.json";
  for (const char* out : {"x.pt", "x", "x.onnx"}) {
    expect_error({"convert", path("bad.pt"), path(out), config}, {"bad.pt", "damaged"});
  }
  expect_error({"inspect", path("bad.pt")}, {"bad.pt", "damaged"});
  expect_error({"inspect", path("no.pt")}, {"no.pt"});
  expect_error({"inspect", kEncoder, "--diff", path("no.pt")}, {"no.pt"});
  expect_error({"inspect", kEncoder, kEncoder}, {"expected one PATH"});
  expect_error({"embed", "--input", texts()}, {"--init-checkpoint is required"}, kUsage);
  const std::string model = "--init_checkpoint=" + kEncoder;
  expect_error({"embed", model, "--input", path("no.txt")}, {"no.txt"});
  expect_error({"embed", model, "--input", texts(), "--pooling", "median"}, {"--pooling median"});
  expect_error({"embed", model, "--input", texts(), "--max_seq_length", "25"}, {"24"});
  expect_error({"embed", model, "--input", texts(), "--format", "npy"}, {"--output"});
  std::ofstream(path("bad.jsonl")) << "\"fine\"\n[1]\n";
  expect_error({"embed", model, "--input", path("bad.jsonl"), "--output", path("v.npy")},
               {"bad.jsonl", "line 2"});
}

}  // namespace
}  // namespace bertha::cli
