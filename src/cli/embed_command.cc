#include <spdlog/spdlog.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "bert/weights.h"
#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/model_choice.h"
#include "cli/options.h"
#include "core/error.h"
#include "infer/embedder.h"
#include "io/atomic_file.h"

namespace bertha::cli {
namespace {

constexpr size_t kMostLineBytes = size_t{1} << 24;
constexpr size_t kWindow = 4096;  // texts read, sorted by length and run together

struct EmbedOptions {
  ModelChoice model;
  DeviceChoice device;
  std::string input = "-";
  std::string output = "-";
  std::string format;
  std::string text_key = "text";
  std::string pooling = "mean";
  bool normalize = true;
  int64_t max_seq_length = 0;
  int64_t batch_tokens = 4096;
};

/// Texts of a file or of standard input: a line each, or of JSONL a string or an object's text.
class TextReader {
 public:
  TextReader(const std::string& path, std::string key) : path_(path), key_(std::move(key)) {
    if (path != "-") file_.open(path, std::ios::binary);
    if (path != "-" && !file_) fail("{}: cannot open the texts", path);
    json_ = path.ends_with(".jsonl");
  }

  /// The next texts, at most kWindow; none at the end.
  std::vector<std::string> next() {
    std::vector<std::string> texts;
    std::string line;
    while (texts.size() < kWindow && std::getline(stream(), line)) {
      ++line_;
      if (line.size() > kMostLineBytes) {
        fail("{}: line {} has {} bytes, expected at most {}", path_, line_, line.size(),
             kMostLineBytes);
      }
      if (line.ends_with('\r')) line.pop_back();
      texts.push_back(json_ ? text_of(line) : std::move(line));
    }
    if (stream().bad()) fail("{}: cannot read", path_);
    return texts;
  }

 private:
  std::istream& stream() { return path_ == "-" ? std::cin : file_; }

  std::string text_of(const std::string& line) const {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_string()) return json.get<std::string>();
    const auto found = json.is_object() ? json.find(key_) : json.end();
    if (!json.is_object() || found == json.end() || !found->is_string()) {
      fail("{}: line {}: expected a JSON string, or an object with a string \"{}\"", path_, line_,
           key_);
    }
    return found->get<std::string>();
  }

  std::string path_;
  std::string key_;
  std::ifstream file_;
  bool json_ = false;
  int64_t line_ = 0;
};

/// Where vectors go.
class VectorWriter {
 public:
  VectorWriter() = default;
  VectorWriter(const VectorWriter&) = delete;
  VectorWriter& operator=(const VectorWriter&) = delete;
  virtual ~VectorWriter() = default;
  virtual void write(std::span<const float> rows) = 0;
  virtual void finish() = 0;
};

/// One JSON array a line, each number with the digits that give it back.
class JsonlWriter : public VectorWriter {
 public:
  JsonlWriter(const std::string& path, int64_t size) : size_(static_cast<size_t>(size)) {
    if (path != "-") file_ = std::make_unique<io::AtomicFile>(path);
  }
  void write(std::span<const float> rows) override {
    for (size_t begin = 0; begin < rows.size(); begin += size_) {
      std::string line = "[";
      for (const float value : rows.subspan(begin, size_)) {
        fmt::format_to(std::back_inserter(line), "{}, ", value);
      }
      line.replace(line.size() - 2, 2, "]\n");
      if (file_) {
        file_->write(line);
      } else if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
        fail("standard output: cannot write");
      }
    }
  }
  void finish() override {
    if (file_) file_->commit();
    if (!file_ && std::fflush(stdout) != 0) fail("standard output: cannot write");
  }

 private:
  size_t size_;
  std::unique_ptr<io::AtomicFile> file_;
};

/// numpy's format 1.0, f32 [texts, size]; the header is written last, when the count is known.
class NpyWriter : public VectorWriter {
 public:
  NpyWriter(const std::string& path, int64_t size) : file_(path), size_(size) {
    file_.write(header(0));
  }
  void write(std::span<const float> rows) override {
    file_.write(std::as_bytes(rows));
    rows_ += std::ssize(rows) / size_;
  }
  void finish() override {
    const std::string text = header(rows_);
    file_.overwrite(0, std::as_bytes(std::span(text)));
    file_.commit();
  }

 private:
  std::string header(int64_t rows) const {
    constexpr size_t kHeaderBytes = 128;
    std::string text("\x93NUMPY\x01\x00\x76\x00", 10);
    text +=
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, size_);
    text.resize(kHeaderBytes - 1, ' ');
    return text + "\n";
  }

  io::AtomicFile file_;
  int64_t size_;
  int64_t rows_ = 0;
};

std::unique_ptr<VectorWriter> open_output(const EmbedOptions& o, int64_t size) {
  const bool npy = o.format == "npy" || (o.format.empty() && o.output.ends_with(".npy"));
  if (!o.format.empty() && o.format != "npy" && o.format != "jsonl") {
    fail("--format {}: expected jsonl or npy", o.format);
  }
  if (npy && o.output == "-") fail("--format npy: name a file with --output");
  if (npy) return std::make_unique<NpyWriter>(o.output, size);
  return std::make_unique<JsonlWriter>(o.output, size);
}

infer::EmbedSettings settings_of(const EmbedOptions& o, const bert::Config& config) {
  if (o.pooling != "mean" && o.pooling != "cls") {
    fail("--pooling {}: expected mean or cls", o.pooling);
  }
  const int64_t most = config.max_position_embeddings;
  infer::EmbedSettings settings;
  settings.pooling = o.pooling == "cls" ? infer::Pooling::kCls : infer::Pooling::kMean;
  settings.normalize = o.normalize;
  settings.max_tokens = o.max_seq_length == 0 ? most : o.max_seq_length;
  if (settings.max_tokens < 2 || settings.max_tokens > most) {
    fail("--max_seq_length {}: expected 2 to the model's {}", o.max_seq_length, most);
  }
  constexpr int64_t kMostBatch = 1 << 20;
  if (o.batch_tokens < settings.max_tokens || o.batch_tokens > kMostBatch) {
    fail("--batch_tokens {}: expected {} (one text) to {}", o.batch_tokens, settings.max_tokens,
         kMostBatch);
  }
  settings.batch_tokens = o.batch_tokens;
  return settings;
}

void embed(const EmbedOptions& o) {
  const bert::Config config = o.model.config().padded();
  const infer::EmbedSettings settings = settings_of(o, config);
  const text::TokenizerFile file = o.model.tokenizer();
  check_vocabulary(file.vocabulary, config);
  const text::Tokenizer tokenizer(file.vocabulary, o.model.rules(file));
  TextReader reader(o.input, o.text_key);
  const std::unique_ptr<VectorWriter> writer = open_output(o, config.hidden_size);
  const std::unique_ptr<Device> device = o.device.open();
  bert::ParameterStore parameters(*device, config, {.pooler = false},
                                  o.device.bf16(*device) ? DType::kBF16 : DType::kF32, false);
  const bert::LoadReport report =
      bert::load_weights(o.model.checkpoint, parameters, {.config = config});
  if (!report.fresh.empty()) fail("{}: {} is missing", o.model.checkpoint, report.fresh[0]);
  infer::Embedder embedder(*device, config, parameters, tokenizer, settings);
  int64_t count = 0;
  for (auto texts = reader.next(); !texts.empty(); texts = reader.next()) {
    writer->write(embedder.embed(texts));
    count += std::ssize(texts);
  }
  writer->finish();
  if (embedder.cut() > 0) {
    spdlog::warn("{} of {} texts were cut at {} tokens", embedder.cut(), count,
                 settings.max_tokens);
  }
}

}  // namespace

int run_embed(Arguments arguments) {
  EmbedOptions o;
  Options table("bertha embed",
                "Turns each text into a vector: the mean of the last layer over its tokens, or its "
                "first token, scaled to length 1.");
  o.model.declare(table, "weights of a BERT encoder");
  table.value("input", o.input, "texts, one a line, or a .jsonl file; - is standard input");
  table.value("output", o.output,
              "vectors, a JSON array a line, or a .npy file; - is standard "
              "output");
  table.value("format", o.format, "jsonl or npy; default: by the name of the output");
  table.value("text_key", o.text_key, "which string of a JSONL object is the text");
  table.value("pooling", o.pooling, "mean or cls");
  table.value("normalize", o.normalize, "false leaves vectors as long as they come");
  table.value("max_seq_length", o.max_seq_length,
              "tokens at which a text is cut; 0: the model's largest");
  table.value("batch_tokens", o.batch_tokens, "tokens that run together");
  o.device.declare(table);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  embed(o);
  return 0;
}

}  // namespace bertha::cli
