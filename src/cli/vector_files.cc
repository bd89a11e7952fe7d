#include "cli/vector_files.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/error.h"
#include "io/atomic_file.h"

namespace bertha::cli {
namespace {

/// One JSON array on each line, or an object that has it under "embedding". Each number has as many
/// digits as its value needs to be restored.
class JsonlWriter : public VectorWriter {
 public:
  JsonlWriter(const std::string& path, std::optional<std::string> text_key)
      : text_key_(std::move(text_key)) {
    if (path != "-") file_ = std::make_unique<io::AtomicFile>(path);
  }
  void write(std::span<const float> vector, const TextRecord& record) override {
    std::string line = text_key_ ? beginning_of(record) : "";
    line += "[";
    for (const float value : vector) fmt::format_to(std::back_inserter(line), "{}, ", value);
    line.replace(line.size() - 2, 2, text_key_ ? "]}\n" : "]\n");
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
  /// The object of a text up to the value of "embedding".
  std::string beginning_of(const TextRecord& record) const {
    OrderedJson fields = fields_of(record, *text_key_);
    fields.erase("embedding");
    std::string line = fields.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    line.replace(line.size() - 1, 1, fields.empty() ? "\"embedding\":" : ",\"embedding\":");
    return line;
  }

  std::unique_ptr<io::AtomicFile> file_;
  std::optional<std::string> text_key_;  ///< of objects; nothing: arrays
};

/// numpy's format 1.0, f32 [texts, size]. The header is written last, when the count is known.
class NpyWriter : public VectorWriter {
 public:
  NpyWriter(const std::string& path, int64_t size) : file_(path), size_(size) {
    file_.write(header(0));
  }
  void write(std::span<const float> vector, const TextRecord& /*record*/) override {
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

std::unique_ptr<VectorWriter> open_vectors(const std::string& path, const std::string& format,
                                           int64_t size, std::optional<std::string> text_key) {
  const bool npy = format == "npy" || (format.empty() && path.ends_with(".npy"));
  if (!format.empty() && format != "npy" && format != "jsonl") {
    fail("--format {}: expected jsonl or npy", format);
  }
  if (npy && path == "-") fail("--format npy: name a file with --output");
  if (npy && text_key) fail("--json: a .npy file has no room for the fields of texts");
  if (npy) return std::make_unique<NpyWriter>(path, size);
  return std::make_unique<JsonlWriter>(path, std::move(text_key));
}

}  // namespace bertha::cli
