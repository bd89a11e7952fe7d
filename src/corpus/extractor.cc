#include "corpus/extractor.h"

#include <bzlib.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/ordered_pipeline.h"
#include "corpus/formatting.h"
#include "corpus/page_register.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "io/list_files.h"

namespace bertha::corpus {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesAFolder = 100;
constexpr size_t kBatchBytes = size_t{1} << 18;
/// The block size of bzip2. Each piece of this size becomes a stream of its own, so that several
/// threads compress a file.
constexpr size_t kPieceBytes = 900'000;
constexpr const char* kCompressedEnding = ".bz2";

/// Pages of one part that one thread turns into text, with the reader that knows their wiki.
struct Batch {
  std::shared_ptr<DumpReader> reader;
  std::vector<Page> pages;
};

struct Articles {
  std::vector<std::string> texts;
  int64_t without_prose = 0;
};

/// The pages of all parts, in batches. A part that is cut off does not end the parts behind it.
class PartReader {
 public:
  PartReader(std::vector<DumpPart> parts, const ExtractOptions& options)
      : parts_(std::move(parts)), threads_(options.threads), progress_(options.progress) {
    if (parts_.empty()) fail("no dump");
    for (const DumpPart& part : parts_) {
      std::error_code no_file;
      const auto size = fs::file_size(part.path, no_file);
      if (!no_file) size_bytes_ += static_cast<int64_t>(size);
    }
    for (const DumpPart& part : parts_) {  // before hours of work, not after
      if (part.path != io::kStandardInput) io::open_source(part.path, 1);
    }
    open();
  }

  /// Nothing at the end.
  std::optional<Batch> next() {
    while (!ended_) {
      Batch batch{reader_, {}};
      for (size_t bytes = 0; bytes < kBatchBytes;) {
        std::optional<Page> page = next_page();
        if (!page) break;
        bytes += page->text.size();
        batch.pages.push_back(std::move(*page));
      }
      if (progress_) progress_(bytes_before_ + reader_->source().read_bytes(), size_bytes_);
      if (!batch.pages.empty()) return batch;
      open_next();
    }
    return std::nullopt;
  }

  const std::string& path() const { return parts_.front().path; }
  DumpCounts counts() const {
    DumpCounts all = counts_before_;
    if (!ended_) all.add(reader_->counts());
    all.articles -= again_;
    all.repeated += again_;
    return all;
  }
  /// Why parts ended early; with several parts, each with its name.
  const std::string& damage() const { return damage_; }

 private:
  /// The next article of the part that has not come before. The reader itself takes the newer of
  /// two neighbours.
  std::optional<Page> next_page() {
    std::optional<Page> page = reader_->next();
    for (; page && !pages_.add(reader_->site().page_url(page->id), *page); ++again_) {
      page = reader_->next();
    }
    return page;
  }

  void open() {
    const DumpPart& part = parts_[part_];
    reader_ = std::make_shared<DumpReader>(io::open_source(part.path, threads_, part.streams));
  }

  void open_next() {
    if (const std::string& damage = reader_->damage(); !damage.empty()) {
      if (!damage_.empty()) damage_ += "; ";
      damage_ += parts_.size() > 1 ? fmt::format("{}: {}", parts_[part_].path, damage) : damage;
    }
    counts_before_.add(reader_->counts());
    bytes_before_ += reader_->source().size_bytes();
    ended_ = part_ + 1 == parts_.size();
    if (ended_) return;
    ++part_;
    open();
  }

  std::vector<DumpPart> parts_;
  int64_t threads_;
  ReportProgress progress_;
  size_t part_ = 0;
  std::shared_ptr<DumpReader> reader_;
  bool ended_ = false;
  DumpCounts counts_before_;  ///< of the parts that have ended
  PageRegister pages_;
  int64_t again_ = 0;  ///< articles that had come before
  int64_t bytes_before_ = 0;
  int64_t size_bytes_ = 0;
  std::string damage_;
};

/// The text of each page that has prose, as write(site, page, prose) gives it.
template <typename Write>
Articles to_articles(const Batch& batch, const WikitextOptions& options, const Write& write) {
  const Site& site = batch.reader->site();
  Articles articles;
  for (const Page& page : batch.pages) {
    std::string prose = wikitext_to_prose(page.text, page.title, site, options);
    if (prose.empty()) {
      ++articles.without_prose;
    } else {
      articles.texts.push_back(write(site, page, std::move(prose)));
    }
  }
  return articles;
}

/// A part of a file.
struct Piece {
  bool begins_file = false;
  std::string bytes;
};

/// Articles in order, cut into the pieces of files.
class Splitter {
 public:
  using Next = std::function<std::optional<std::vector<std::string>>()>;

  /// `next` gives further articles, nothing at the end.
  Splitter(Next next, int64_t file_bytes) : next_(std::move(next)), file_bytes_(file_bytes) {}

  std::optional<Piece> next() {
    Piece piece;
    while (fetch()) {
      const std::string& article = articles_[taken_];
      const bool fits = size_ + std::ssize(article) <= file_bytes_;
      const bool begins = size_ == 0 || !fits;
      if (!piece.bytes.empty() && (begins || piece.bytes.size() + article.size() > kPieceBytes)) {
        break;
      }
      piece.begins_file = piece.begins_file || begins;
      size_ = (begins ? 0 : size_) + std::ssize(article);
      piece.bytes += article;
      ++taken_;
    }
    return piece.bytes.empty() ? std::nullopt : std::optional(std::move(piece));
  }

 private:
  bool fetch() {
    while (taken_ == articles_.size()) {
      std::optional<std::vector<std::string>> more = next_();
      if (!more) return false;
      articles_ = std::move(*more);
      taken_ = 0;
    }
    return true;
  }

  Next next_;
  int64_t file_bytes_;
  std::vector<std::string> articles_;
  size_t taken_ = 0;
  int64_t size_ = 0;  ///< of the file so far
};

std::string compress(std::string bytes) {
  // A hundredth and 600 bytes more than the text are always enough (bzip2's manual, 3.5.1).
  std::string out(bytes.size() + bytes.size() / 100 + 600, '\0');
  auto size = static_cast<unsigned>(out.size());
  const int status = BZ2_bzBuffToBuffCompress(out.data(), &size, bytes.data(),
                                              static_cast<unsigned>(bytes.size()), 9, 0, 0);
  if (status != BZ_OK) fail("bzip2: out of memory");
  out.resize(size);
  return out;
}

/// "AA", "AB" and so on.
bool is_article_folder(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.size() == 2 && std::ranges::all_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// "wiki_00" and so on, packed or not.
bool is_article_file(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return name.starts_with("wiki_") && name.size() >= 7 && is_digit(name[5]) && is_digit(name[6]) &&
         (name.size() == 7 || name.substr(7) == kCompressedEnding);
}

/// The files in `folder` that have the names of this extractor.
std::set<fs::path> article_files(const std::string& folder) {
  std::set<fs::path> files;
  if (!io::is_folder(folder)) return files;
  std::error_code error;
  fs::directory_iterator within(folder, error);
  for (; !error && within != fs::directory_iterator(); within.increment(error)) {
    if (!is_article_folder(within->path()) || !io::is_folder(within->path())) continue;
    for (const std::string& file : io::list_files(within->path().string(), "wiki_", "")) {
      if (is_article_file(file)) files.insert(fs::path(file).lexically_normal());
    }
  }
  if (error) fail("{}: cannot read the folder: {}", folder, error.message());
  return files;
}

/// AA/wiki_00, AA/wiki_01, …: each opened when its first piece comes.
class SplitWriter {
 public:
  SplitWriter(std::string folder, bool compressed)
      : folder_(std::move(folder)), ending_(compressed ? kCompressedEnding : "") {}

  void write(const Piece& piece) {
    if (piece.begins_file && file_) close();
    if (piece.begins_file) open();
    file_->write(piece.bytes);
  }

  /// Ends the last file and removes those that a larger or differently packed extraction left.
  std::vector<std::string> finish() {
    if (file_) close();
    std::set<fs::path> stale = article_files(folder_);
    for (const std::string& file : files_) stale.erase(fs::path(file).lexically_normal());
    for (const fs::path& file : stale) fs::remove(file);
    return std::move(files_);
  }

 private:
  std::string path(size_t index) const {
    const size_t folder = index / kFilesAFolder;
    return fmt::format("{}/{}{}/wiki_{:02}{}", folder_, static_cast<char>('A' + folder / 26 % 26),
                       static_cast<char>('A' + folder % 26), index % kFilesAFolder, ending_);
  }
  void open() {
    const std::string name = path(files_.size());
    const std::string folder = fs::path(name).parent_path().string();
    io::make_folder(folder);
    if (files_.size() % kFilesAFolder == 0) io::remove_leftovers(folder);
    file_.emplace(name);
  }
  void close() {
    file_->commit();
    files_.push_back(file_->path());
    file_.reset();
  }

  std::string folder_;
  std::string ending_;
  std::optional<io::AtomicFile> file_;
  std::vector<std::string> files_;
};

/// Readers of <doc> text begin and end an article at these marks wherever they occur. A space after
/// the `<` distinguishes marks in the text from those of the format.
std::string separate_marks(std::string text) {
  for (const std::string_view mark : {"<doc id=", "</doc>"}) {
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 2)) {
      text.insert(at + 1, " ");
    }
  }
  return text;
}

std::string on_one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

std::string attribute(std::string_view text) {
  std::string escaped;
  for (const char c : on_one_line(text)) {
    if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

void check_counts(const std::string& dump, const ExtractCounts& counts) {
  if (counts.written > 0) return;
  if (!counts.damage.empty()) fail("{}: no article: {}", dump, counts.damage);
  if (counts.dump.pages == 0) {
    fail("{}: no page: expected a MediaWiki dump (<mediawiki> … <page> …)", dump);
  }
  fail("{}: {} pages, none of them an article with prose", dump, counts.dump.pages);
}

class ArticleLines : public LineSource {
 public:
  ArticleLines(const std::vector<DumpPart>& parts, const ExtractOptions& options)
      : options_(options), reader_(parts, options) {}

  std::optional<Job> next() override {
    std::optional<Batch> batch = reader_.next();
    if (!batch) {
      if (!options_.allow_truncated && !damage().empty()) {
        fail("{}: {}; --allow-truncated takes its whole pages", reader_.path(), damage());
      }
      ExtractCounts counts;
      counts.dump = reader_.counts();
      counts.damage = damage();
      counts.written = counts.dump.articles;  // the shards show how many of them have prose
      check_counts(reader_.path(), counts);
      return std::nullopt;
    }
    return [this, shared = std::make_shared<const Batch>(std::move(*batch))] {
      const auto join = [](const Site&, const Page&, std::string prose) {
        return join_lines(separate_marks(std::move(prose)));
      };
      std::vector<std::string> lines = to_articles(*shared, options_.wikitext, join).texts;
      std::erase(lines, "");
      return lines;
    };
  }
  std::string damage() const override { return reader_.damage(); }

 private:
  ExtractOptions options_;
  PartReader reader_;
};

}  // namespace

std::unique_ptr<LineSource> stream_articles(const std::vector<DumpPart>& parts,
                                            const ExtractOptions& options) {
  return std::make_unique<ArticleLines>(parts, options);
}

std::string format_article(const Page& page, const std::string& url, std::string_view prose,
                           ArticleForm form) {
  if (form == ArticleForm::kText) return std::string(prose) + "\n\n";
  if (form == ArticleForm::kJson) {
    const nlohmann::ordered_json line = {{"id", std::to_string(page.id)},
                                         {"revid", std::to_string(page.revision)},
                                         {"url", url},
                                         {"title", page.title},
                                         {"text", prose.substr(0, prose.size() - 1)}};
    constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
    return line.dump(-1, ' ', true, kReplace) + "\n";
  }
  return fmt::format("<doc id=\"{}\" url=\"{}\" title=\"{}\">\n{}\n\n{}\n</doc>\n", page.id,
                     on_one_line(url), attribute(page.title),
                     separate_marks(on_one_line(page.title)), separate_marks(std::string(prose)));
}

bool holds_articles(const std::string& folder) {
  return !article_files(folder).empty();
}

ExtractCounts extract_dump(const std::vector<DumpPart>& parts, const ExtractOptions& options) {
  PartReader reader(parts, options);
  ExtractCounts counts;
  const auto write = [&](const Site& site, const Page& page, const std::string& prose) {
    return format_article(page, site.page_url(page.id), prose, options.form);
  };
  OrderedPipeline<Batch, Articles> workers(
      options.threads, [&] { return reader.next(); },
      [&](Batch&& batch) { return to_articles(batch, options.wikitext, write); });
  const auto next_articles = [&]() -> std::optional<std::vector<std::string>> {
    std::optional<Articles> articles = workers.next();
    if (!articles) return std::nullopt;
    for (const std::string& text : articles->texts) counts.text_bytes += std::ssize(text);
    counts.written += std::ssize(articles->texts);
    counts.without_prose += articles->without_prose;
    return std::move(articles->texts);
  };
  Splitter splitter(next_articles,
                    options.sink ? std::numeric_limits<int64_t>::max() : options.file_bytes);
  OrderedPipeline<Piece, Piece> pieces(
      options.compress ? options.threads : 1, [&] { return splitter.next(); },
      [&](Piece&& piece) {
        if (options.compress) piece.bytes = compress(std::move(piece.bytes));
        return std::move(piece);
      });
  SplitWriter writer(options.output_dir, options.compress);
  while (const std::optional<Piece> piece = pieces.next()) {
    options.sink ? options.sink(piece->bytes) : writer.write(*piece);
  }
  counts.dump = reader.counts();
  counts.damage = reader.damage();
  check_counts(reader.path(), counts);
  if (!options.sink) counts.files = writer.finish();
  return counts;
}

}  // namespace bertha::corpus
