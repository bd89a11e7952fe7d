#include "corpus/documents.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/strings.h"
#include "io/file_status.h"
#include "io/text_file.h"
#include "text/json_text.h"

namespace bertha::corpus {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostWords = 1000;          ///< of a document, give or take a paragraph
constexpr int64_t kWordsBeforeHeading = 200;  ///< shorter documents take the next chapter too
constexpr int64_t kMostHeadingWords = 10;
constexpr size_t kWrapColumns = 40;  ///< shorter lines are verse or lists, not wrapped prose

struct Paragraph {
  std::string text;
  int64_t words = 0;
  int64_t lines = 0;
};

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\f\v";
  const size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

bool ends_a_sentence(std::string_view line) {
  while (!line.empty() && std::string_view("\"')]*_").find(line.back()) != std::string_view::npos) {
    line.remove_suffix(1);
  }
  return !line.empty() && std::string_view(".!?:;").find(line.back()) != std::string_view::npos;
}

/// Whether lines without blank ones between them are the printed lines of prose.
bool is_wrapped(std::span<const std::string_view> lines) {
  int64_t open = 0;
  for (const std::string_view line : lines) {
    if (line.size() >= kWrapColumns && !ends_a_sentence(line)) ++open;
  }
  return 2 * open > std::ssize(lines);
}

bool is_heading(const Paragraph& paragraph) {
  if (paragraph.lines != 1 || paragraph.words > kMostHeadingWords) return false;
  const std::string start = lower_ascii(paragraph.text.substr(0, 8));
  if (start.starts_with("chapter") || start.starts_with('#')) return true;
  const auto first = static_cast<unsigned char>(paragraph.text.front());
  return !ends_a_sentence(paragraph.text) && (std::isupper(first) != 0 || std::isdigit(first) != 0);
}

void add_line(Paragraph& paragraph, std::string_view line) {
  if (!paragraph.text.empty()) paragraph.text += ' ';
  paragraph.text += line;
  paragraph.words += count_words(line);
  ++paragraph.lines;
}

std::vector<Paragraph> paragraphs_of(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  const bool blank_lines = std::ranges::any_of(lines, &std::string_view::empty);
  const bool joined = blank_lines || is_wrapped(lines);
  std::vector<Paragraph> paragraphs;
  Paragraph next;
  for (const std::string_view line : lines) {
    if (!line.empty()) add_line(next, line);
    // Without blank lines a wrapped text has no ends of paragraphs but those of its sentences.
    const bool ends = line.empty() || !joined ||
                      (!blank_lines && next.words >= kWordsBeforeHeading && ends_a_sentence(line));
    if (!ends || next.lines == 0) continue;
    paragraphs.push_back(std::move(next));
    next = {};
  }
  if (next.lines > 0) paragraphs.push_back(std::move(next));
  return paragraphs;
}

constexpr std::array<std::string_view, 4> kTextEndings = {".txt", ".text", ".md", ".jsonl"};

/// The path without the ending of a compressed file.
std::string plain_name(const std::string& path) {
  for (const std::string_view ending : {".gz", ".bz2"}) {
    if (path.ends_with(ending)) return path.substr(0, path.size() - ending.size());
  }
  return path;
}

bool is_text_name(const std::string& path) {
  const std::string name = lower_ascii(plain_name(path));
  return std::ranges::any_of(kTextEndings,
                             [&](std::string_view ending) { return name.ends_with(ending); });
}

void add_folder(const std::string& folder, std::vector<std::string>& files) {
  std::error_code failure;
  fs::recursive_directory_iterator entries(folder, failure);
  for (; !failure && entries != fs::recursive_directory_iterator(); entries.increment(failure)) {
    std::error_code ignored;
    const std::string path = entries->path().string();
    if (entries->is_regular_file(ignored) && is_text_name(path)) files.push_back(path);
  }
  if (failure) fail("{}: cannot read the folder: {}", folder, failure.message());
}

void read_json_lines(std::string_view text, const std::string& path,
                     const std::function<void(const std::string&)>& take) {
  int64_t number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    if (line.empty()) continue;
    const std::string place = fmt::format("{}:{}", path, number);
    const text::JsonText parsed = text::parse_json_text(line, place);
    const auto found = parsed.root.is_object() ? parsed.root.find("text") : parsed.root.end();
    if (found == parsed.root.end() || !found->is_string()) {
      fail("{}: expected a JSON object with \"text\", a string", place);
    }
    std::string document;
    for (const std::string_view part : lines_of(found->get_ref<const std::string&>())) {
      if (!part.empty()) document += (document.empty() ? "" : " ") + std::string(part);
    }
    if (!document.empty()) take(document);
  }
}

}  // namespace

std::vector<std::string> split_documents(std::string_view text) {
  std::vector<std::string> documents;
  Paragraph document;
  const auto end_document = [&] {
    if (document.words > 0) documents.push_back(std::move(document.text));
    document = {};
  };
  for (const Paragraph& paragraph : paragraphs_of(text)) {
    if (is_heading(paragraph) && document.words >= kWordsBeforeHeading) end_document();
    add_line(document, paragraph.text);
    if (document.words >= kMostWords) end_document();
  }
  end_document();
  return documents;
}

std::vector<std::string> find_texts(std::span<const std::string> paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (io::is_folder(path)) {
      add_folder(path, files);
    } else if (io::exists(path)) {
      files.push_back(path);
    } else {
      fail("{}: there is no such file or folder", path);
    }
  }
  std::ranges::sort(files);
  files.erase(std::unique(files.begin(), files.end()), files.end());
  if (files.empty()) fail("{}: no text in it (.txt, .text, .md or .jsonl)", join(paths, ", "));
  return files;
}

void read_documents(const std::string& path, const std::function<void(const std::string&)>& take) {
  const io::TextFile file(path);
  if (lower_ascii(plain_name(path)).ends_with(".jsonl")) {
    return read_json_lines(file.text(), path, take);
  }
  for (const std::string& document : split_documents(file.text())) take(document);
}

}  // namespace bertha::corpus
