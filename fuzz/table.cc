// Input: bytes as a table of labelled texts; the first byte chooses the ending of its name and
// whether it has a header. Expected: an Error, or rows whose fields can all be read.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "tasks/classification/labelled_texts.h"
#include "tasks/table/table_reader.h"

namespace {

using namespace bertha;

void read_table(std::string_view text, const std::string& path, bool has_header) {
  const tasks::Table table = tasks::parse_table(text, path, has_header);
  [[maybe_unused]] static volatile size_t sink = 0;
  int64_t last = -1;
  for (const tasks::TableRow& row : table.rows) {
    if (row.number <= last) std::abort();
    last = row.number;
    if (!table.header.empty() && row.fields.size() != table.header.size()) std::abort();
    for (const std::string_view field : row.fields) {
      for (const char c : field) sink = sink + static_cast<size_t>(c);
    }
    for (const tasks::TableList& list : row.lists) {
      if (list.column >= row.fields.size()) std::abort();
    }
  }
}

void read_texts(std::string_view text, const std::string& path, bool has_header) {
  const tasks::ColumnChoice numbered = {.text = "1", .pair = "2", .label = "3"};
  tasks::LabelledTexts texts =
      tasks::parse_labelled_texts(text, path, has_header ? tasks::ColumnChoice() : numbered);
  if (texts.rows.empty()) std::abort();
  texts.keep_labelled();
}

void read_several(std::string_view text, const std::string& path) {
  const tasks::ColumnChoice choice = {.label = "", .separator = ","};
  tasks::LabelledTexts texts = tasks::parse_labelled_texts(text, path, choice);
  texts.keep_labelled();
  for (const tasks::LabelledText& row : texts.rows) {
    if (!row.labels) std::abort();
  }
  texts.keep_single_labels();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::array<const char*, 5> kNames = {"t.tsv", "t.csv", "t.jsonl", "t.json", "t"};
  if (size == 0) return 0;
  const std::string path = kNames[data[0] / 2 % kNames.size()];
  const bool has_header = data[0] % 2 == 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    read_table(text, path, has_header);
    read_texts(text, path, has_header);
    read_several(text, path);
  } catch (const Error&) {
  }
  return 0;
}
