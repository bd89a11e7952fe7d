#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/parallel_tasks.h"
#include "core/utf8.h"
#include "cpython/str_rules.h"
#include "dataset/instances.h"
#include "io/text_file.h"

namespace bertha::dataset {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr int32_t kBlankLine = -1;

/// Lines of a file, tokenized independently of the lines before and after.
struct Block {
  std::vector<int32_t> ids;
  std::vector<int32_t> lines;  ///< token count of each line, or kBlankLine
};

bool is_blank(std::string_view line) {
  const char* const end = line.data() + line.size();
  for (const char* at = line.data(); at < end;) {
    const Decoded decoded = decode_utf8(at, end);
    if (!cpython::is_python_space(decoded.code_point)) return false;
    at += decoded.length;
  }
  return true;
}

/// Removes the next line from `text` and returns it without its end, which is \n, \r\n or \r.
std::string_view take_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  if (const size_t carriage = line.find('\r'); carriage != std::string_view::npos) {
    line = line.substr(0, carriage);
    text.remove_prefix(carriage);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : 1);
  } else {
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return line;
}

Block encode_block(std::string_view text, const text::Tokenizer& tokenizer) {
  Block block;
  block.ids.reserve(text.size() / 4);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (is_blank(line)) {
      block.lines.push_back(kBlankLine);
      continue;
    }
    const size_t before = block.ids.size();
    tokenizer.encode(line, block.ids);
    block.lines.push_back(static_cast<int32_t>(block.ids.size() - before));
  }
  return block;
}

/// Splits after line feeds, so that each block holds whole lines.
std::vector<std::string_view> split_blocks(std::string_view text) {
  std::vector<std::string_view> blocks;
  while (!text.empty()) {
    const size_t end = text.find('\n', std::min(kBlockBytes, text.size()) - 1);
    const size_t bytes = end == std::string_view::npos ? text.size() : end + 1;
    blocks.push_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return blocks;
}

void close_document(Corpus& corpus) {
  if (corpus.document_start.back() < corpus.segments()) {
    corpus.document_start.push_back(corpus.segments());
  }
}

void append(const Block& block, Corpus& corpus) {
  int64_t token = corpus.segment_start.back();
  corpus.ids.insert(corpus.ids.end(), block.ids.begin(), block.ids.end());
  for (const int32_t count : block.lines) {
    if (count == kBlankLine) {
      close_document(corpus);
    } else if (count > 0) {
      token += count;
      corpus.segment_start.push_back(token);
    }
  }
}

void read_file(const std::string& path, const text::Tokenizer& tokenizer, int64_t threads,
               Corpus& corpus) {
  const io::TextFile file(path, io::TextFile::Check::kLater);
  const std::vector<std::string_view> texts = split_blocks(file.text());
  std::vector<Block> blocks(texts.size());
  parallel_tasks(static_cast<int64_t>(texts.size()), threads, [&](int64_t index) {
    const std::string_view text = texts[static_cast<size_t>(index)];
    file.require_utf8(text);
    blocks[static_cast<size_t>(index)] = encode_block(text, tokenizer);
  });
  size_t tokens = corpus.ids.size();
  for (const Block& block : blocks) tokens += block.ids.size();
  corpus.ids.reserve(tokens);
  for (Block& block : blocks) {
    append(block, corpus);
    block = {};
  }
}

}  // namespace

Corpus read_corpus(std::span<const std::string> files, const text::Tokenizer& tokenizer,
                   int64_t threads) {
  Corpus corpus;
  for (const std::string& path : files) read_file(path, tokenizer, threads, corpus);
  close_document(corpus);
  if (corpus.documents() == 0) {
    fail("no document in {}{}: expected text, one sentence per line",
         files.empty() ? "no file" : files.front(),
         files.size() > 1 ? fmt::format(" and {} more files", files.size() - 1) : "");
  }
  return corpus;
}

}  // namespace bertha::dataset
