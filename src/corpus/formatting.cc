#include "corpus/formatting.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/list_files.h"
#include "io/text_file.h"

namespace bertha::corpus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlanks = " \t\r\n\v\f";
constexpr auto kNone = std::string_view::npos;

std::string_view strip_end(std::string_view line) {
  return line.substr(0, line.find_last_not_of(kBlanks) + 1);
}

std::string_view strip(std::string_view line) {
  const size_t begin = line.find_first_not_of(kBlanks);
  return begin == kNone ? std::string_view() : strip_end(line.substr(begin));
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

/// The files wiki_… of all folders under `folder`, sorted; compressed files have an ending and are
/// left out.
std::vector<std::string> list_extracted(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    if (entry->is_directory() || !path.extension().empty()) continue;
    if (path.filename().string().starts_with("wiki_")) files.push_back(path.string());
  }
  if (error) fail("{}: cannot read the folder: {}", folder, error.message());
  if (files.empty()) {
    fail("{}: no wiki_* file in its folders: run the extract stage first, without --compress",
         folder);
  }
  std::ranges::sort(files);
  return files;
}

/// Writes documents a line each and counts them.
class LineWriter {
 public:
  explicit LineWriter(const std::string& path) : file_(path) {}

  void add(const std::string& document) {
    if (document.empty()) {
      ++counts_.empty;
      return;
    }
    file_.write(document);
    file_.write("\n\n");
    ++counts_.documents;
    counts_.text_bytes += static_cast<int64_t>(document.size());
  }
  FormatCounts finish(const std::string& folder, std::string_view what) {
    if (counts_.documents == 0) fail("{}: no {} with text", folder, what);
    file_.commit();
    return counts_;
  }

 private:
  io::AtomicFile file_;
  FormatCounts counts_;
};

void append_line(std::string_view line, std::string& document) {
  if (!line.empty()) document.append(line).push_back(' ');
}

/// Reads <doc> blocks and passes the line of each article to `take`; it is empty for an article
/// without text.
template <typename Take>
void split_articles(std::string_view text, const Take& take) {
  bool open = false;
  bool title = false;
  std::string document;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.find("<doc id=") != kNone) {
      open = title = true;
    } else if (line.find("</doc>") != kNone) {
      if (open) take(document);
      document.clear();
      open = false;
    } else if (open) {
      if (!title) append_line(strip_end(line), document);
      title = false;
    }
  }
}

/// The book between Project Gutenberg's "*** START OF …" and "*** END OF …" lines, or all of it.
std::string_view without_licence(std::string_view text) {
  const auto marked = [&](std::string_view word) {
    for (size_t at = text.find("***"); at != kNone; at = text.find("***", at + 3)) {
      const size_t first = text.find_first_not_of("* ", at);
      if (first != kNone && text.substr(first).starts_with(word)) return at;
      if (first == kNone) break;
    }
    return kNone;
  };
  if (const size_t end = marked("END OF TH"); end != kNone) text = text.substr(0, end);
  if (const size_t start = marked("START OF TH"); start != kNone) {
    text.remove_prefix(std::min(text.find('\n', start), text.size()));
  }
  return text;
}

std::vector<std::string> list_books(const std::string& folder) {
  std::vector<std::string> files = io::list_files(folder, "", ".txt");
  if (files.empty()) fail("{}: no book (.txt) in this folder", folder);
  return files;
}

std::string read_book(const std::string& path) {
  const io::TextFile file(path);
  std::string_view text = without_licence(file.text());
  std::string document;
  while (!text.empty()) append_line(strip(take_line(text)), document);
  return document;
}

class BookLines : public LineSource {
 public:
  explicit BookLines(const std::string& folder) : files_(list_books(folder)) {}

  std::optional<Job> next() override {
    if (next_ == files_.size()) return std::nullopt;
    return [path = files_[next_++]] { return std::vector{read_book(path)}; };
  }

 private:
  std::vector<std::string> files_;
  size_t next_ = 0;
};

}  // namespace

FormatCounts format_articles(const std::string& folder, const std::string& output) {
  const std::vector<std::string> files = list_extracted(folder);
  LineWriter writer(output);
  for (const std::string& path : files) {
    const io::TextFile file(path);
    if (!file.text().starts_with("<doc id=")) {
      fail("{}: expected <doc> blocks, as the extract stage writes without --json and --text",
           path);
    }
    split_articles(file.text(), [&writer](const std::string& document) { writer.add(document); });
  }
  return writer.finish(folder, "article");
}

FormatCounts format_books(const std::string& folder, const std::string& output) {
  const std::vector<std::string> files = list_books(folder);
  LineWriter writer(output);
  for (const std::string& path : files) writer.add(read_book(path));
  return writer.finish(folder, "book");
}

std::string join_lines(std::string_view text) {
  std::string document;
  document.reserve(text.size() + 1);
  while (!text.empty()) append_line(strip_end(take_line(text)), document);
  return document;
}

std::unique_ptr<LineSource> stream_books(const std::string& folder) {
  return std::make_unique<BookLines>(folder);
}

}  // namespace bertha::corpus
