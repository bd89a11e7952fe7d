// Input: bytes as a file of labelled words; the first byte chooses CoNLL or JSON lines, whether the
// columns are numbered by options, and the text goes on behind it. Expected: an Error, or sentences
// with a label for each word, and a file with predictions of as many lines.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "tasks/tagging/spans.h"
#include "tasks/tagging/tagged_sentences.h"

namespace {

using namespace bertha;

void check_sentences(const tasks::TaggedFile& file) {
  if (file.sentences.empty()) std::abort();
  for (const tasks::TaggedSentence& sentence : file.sentences) {
    if (file.labelled && sentence.labels.size() != sentence.words.size()) std::abort();
    for (const std::string& word : sentence.words) {
      if (file.format == tasks::TagFormat::kConll && word.empty()) std::abort();
    }
  }
}

/// The file with a label more for each word has as many lines.
void check_written(std::string_view text, const tasks::TaggedFile& file) {
  std::vector<std::vector<std::string>> labels;
  for (const tasks::TaggedSentence& sentence : file.sentences) {
    labels.emplace_back(sentence.words.size(), "B-X");
  }
  const std::string written = tasks::with_labels(text, file, labels);
  if (!written.ends_with('\n')) std::abort();
  const auto lines = std::count(text.begin(), text.end(), '\n') + (text.ends_with('\n') ? 0 : 1);
  if (file.format == tasks::TagFormat::kConll &&
      std::count(written.begin(), written.end(), '\n') != lines) {
    std::abort();
  }
}

void read(std::string_view text, const std::string& path, const tasks::TagColumns& columns) {
  const tasks::TaggedFile file = tasks::parse_tagged(text, path, columns);
  check_sentences(file);
  check_written(text, file);
  for (const tasks::TaggedSentence& sentence : file.sentences) {
    for (const tasks::Span& span : tasks::find_spans(sentence.labels)) {
      if (span.begin >= span.end || span.end > std::ssize(sentence.labels)) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string path = data[0] % 2 == 0 ? "t.conll" : "t.jsonl";
  tasks::TagColumns columns;
  if (data[0] / 2 % 2 == 1) columns = {.word = "1", .label = "2"};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    read(text, path, columns);
  } catch (const Error&) {
  }
  return 0;
}
