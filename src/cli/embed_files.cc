#include "cli/embed_files.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/atomic_file.h"

namespace bertha::cli {
namespace {

constexpr size_t kMostLineBytes = size_t{1} << 24;
constexpr size_t kBlockBytes = size_t{1} << 20;

/// One JSON array on each line. Each number has as many digits as its value needs to be restored.
class JsonlWriter : public VectorWriter {
 public:
  explicit JsonlWriter(const std::string& path) {
    if (path != "-") file_ = std::make_unique<io::AtomicFile>(path);
  }
  void write(std::span<const float> vector) override {
    std::string line = "[";
    for (const float value : vector) fmt::format_to(std::back_inserter(line), "{}, ", value);
    line.replace(line.size() - 2, 2, "]\n");
    if (file_) {
      file_->write(line);
    } else if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
      fail("standard output: cannot write");
    }
  }
  void finish() override {
    if (file_) file_->commit();
    if (!file_ && std::fflush(stdout) != 0) fail("standard output: cannot write");
  }

 private:
  std::unique_ptr<io::AtomicFile> file_;
};

/// numpy's format 1.0, f32 [texts, size]. The header is written last, when the count is known.
class NpyWriter : public VectorWriter {
 public:
  NpyWriter(const std::string& path, int64_t size) : file_(path), size_(size) {
    file_.write(header(0));
  }
  void write(std::span<const float> vector) override {
    file_.write(std::as_bytes(vector));
    ++vectors_;
  }
  void finish() override {
    const std::string text = header(vectors_);
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
  int64_t vectors_ = 0;
};

}  // namespace

TextReader::TextReader(const std::string& path, std::string key)
    : path_(path), key_(std::move(key)) {
  const std::string name =
      path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path;  // read packed, too
  json_ = name.ends_with(".jsonl") || name.ends_with(".ndjson");
  if (path == "-") return;
  file_ = std::make_unique<io::TextBlocks>(path, kBlockBytes);
  rest_ = file_->next();
  if (name.ends_with(".json")) refuse_document();
}

void TextReader::refuse_document() const {
  const size_t first = rest_.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (rest_[first] != '[' && rest_[first] != '{')) return;
  fail(
      "{}: a JSON document, expected a text on each line; `jq -c '.[]' OLD > NEW.jsonl` makes JSON "
      "lines of an array",
      path_);
}

bool TextReader::next_line(std::string& line) {
  if (file_ == nullptr) {
    if (!std::getline(std::cin, line)) {
      if (std::cin.bad()) fail("standard input: cannot read");
      return false;
    }
    io::require_utf8_line(line, "standard input", line_ + 1);
    return true;
  }
  if (rest_.empty()) rest_ = file_->next();
  if (rest_.empty()) return false;
  const size_t end = std::min(rest_.find('\n'), rest_.size());
  line = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return true;
}

std::vector<std::string> TextReader::next(size_t most) {
  std::vector<std::string> texts;
  std::string line;
  while (texts.size() < most && next_line(line)) {
    ++line_;
    if (line.size() > kMostLineBytes) {
      fail("{}: line {} has {} bytes, expected at most {}", path_, line_, line.size(),
           kMostLineBytes);
    }
    if (line.ends_with('\r')) line.pop_back();
    if (json_ && line.find_first_not_of(" \t") == std::string::npos) continue;
    texts.push_back(json_ ? text_of(line) : std::move(line));
  }
  return texts;
}

std::string TextReader::text_of(const std::string& line) const {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_string()) return json.get<std::string>();
  const auto found = json.is_object() ? json.find(key_) : json.end();
  if (!json.is_object() || found == json.end() || !found->is_string()) {
    fail("{}: line {}: expected a JSON string, or an object with a string \"{}\"", path_, line_,
         key_);
  }
  return found->get<std::string>();
}

std::unique_ptr<VectorWriter> open_vectors(const std::string& path, const std::string& format,
                                           int64_t size) {
  const bool npy = format == "npy" || (format.empty() && path.ends_with(".npy"));
  if (!format.empty() && format != "npy" && format != "jsonl") {
    fail("--format {}: expected jsonl or npy", format);
  }
  if (npy && path == "-") fail("--format npy: name a file with --output");
  if (npy) return std::make_unique<NpyWriter>(path, size);
  return std::make_unique<JsonlWriter>(path);
}

}  // namespace bertha::cli
