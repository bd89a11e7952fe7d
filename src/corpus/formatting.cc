#include "corpus/formatting.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/atomic_file.h"

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

/// Regular files in `folder` whose name `wanted` takes, sorted; folders too when `deep`.
template <typename Wanted>
std::vector<std::string> list_files(const std::string& folder, bool deep, const Wanted& wanted) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_directory()) {
      if (!deep) entry.disable_recursion_pending();
    } else if (wanted(entry->path())) {
      files.push_back(entry->path().string());
    }
  }
  if (error) fail("{}: cannot read the folder: {}", folder, error.message());
  std::ranges::sort(files);
  return files;
}

/// Writes documents a line each, once their text is known not to be blank.
class LineWriter {
 public:
  explicit LineWriter(const std::string& path) : file_(path) {}

  void add_line(std::string_view line) { document_.append(line).push_back(' '); }
  void end_document() {
    if (document_.empty()) {
      ++counts_.empty;
    } else {
      file_.write(document_);
      file_.write("\n\n");
      ++counts_.documents;
      counts_.text_bytes += static_cast<int64_t>(document_.size());
    }
    document_.clear();
  }
  FormatCounts finish(const std::string& folder, std::string_view what) {
    if (counts_.documents == 0) fail("{}: no {} with text", folder, what);
    file_.commit();
    return counts_;
  }

 private:
  io::AtomicFile file_;
  std::string document_;
  FormatCounts counts_;
};

void add_articles(std::string_view text, LineWriter& writer) {
  bool open = false;
  bool title = false;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.find("<doc id=") != kNone) {
      open = title = true;
    } else if (line.find("</doc>") != kNone) {
      if (open) writer.end_document();
      open = false;
    } else if (open) {
      const std::string_view kept = strip_end(line);
      if (!title && !kept.empty()) writer.add_line(kept);
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

}  // namespace

FormatCounts format_articles(const std::string& folder, const std::string& output) {
  const auto files = list_files(folder, true, [](const fs::path& path) {
    return path.filename().string().starts_with("wiki_") && path.extension().empty();
  });
  if (files.empty()) fail("{}: no wiki_* file in its folders: run the extract stage first", folder);
  LineWriter writer(output);
  for (const std::string& path : files) add_articles(io::MappedFile(path).text(), writer);
  return writer.finish(folder, "article");
}

FormatCounts format_books(const std::string& folder, const std::string& output) {
  const auto files =
      list_files(folder, false, [](const fs::path& path) { return path.extension() == ".txt"; });
  if (files.empty()) fail("{}: no book (.txt) in this folder", folder);
  LineWriter writer(output);
  for (const std::string& path : files) {
    const io::MappedFile file(path);
    std::string_view text = file.text();
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    text = without_licence(text);
    while (!text.empty()) {
      const std::string_view line = strip(take_line(text));
      if (!line.empty()) writer.add_line(line);
    }
    writer.end_document();
  }
  return writer.finish(folder, "book");
}

}  // namespace bertha::corpus
