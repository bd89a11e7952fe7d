#include "corpus/extractor.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/error.h"
#include "corpus/formatting.h"
#include "corpus/ordered_workers.h"
#include "io/atomic_file.h"

namespace bertha::corpus {
namespace {

namespace fs = std::filesystem;

constexpr int kFilesAFolder = 100;
constexpr size_t kBatchBytes = size_t{1} << 18;

/// Pages that one thread turns into text, and how the reading stood behind them.
struct Batch {
  std::vector<Page> pages;
  DumpCounts counts;
};

struct Articles {
  std::vector<std::string> blocks;
  int64_t without_prose = 0;
  DumpCounts counts;
};

std::optional<Batch> read_batch(DumpReader& reader) {
  Batch batch;
  for (size_t bytes = 0; bytes < kBatchBytes;) {
    std::optional<Page> page = reader.next();
    if (!page) break;
    bytes += page->text.size();
    batch.pages.push_back(std::move(*page));
  }
  batch.counts = reader.counts();
  return batch.pages.empty() ? std::nullopt : std::optional(std::move(batch));
}

Articles to_articles(const Batch& batch, const Site& site, const ExtractOptions& options) {
  Articles articles;
  articles.counts = batch.counts;
  for (const Page& page : batch.pages) {
    const std::string prose = wikitext_to_prose(page.text, page.title, site, options.wikitext);
    if (prose.empty()) {
      ++articles.without_prose;
    } else {
      articles.blocks.push_back(article_block(page, site.page_url(page.id), prose, options.json));
    }
  }
  return articles;
}

/// AA/wiki_00, AA/wiki_01, …: each opened when its first article comes.
class SplitWriter {
 public:
  SplitWriter(std::string folder, int64_t file_bytes)
      : folder_(std::move(folder)), file_bytes_(file_bytes) {}

  void write(const std::string& block) {
    const auto size = static_cast<int64_t>(block.size());
    if (file_ && file_->size_bytes() + size > file_bytes_) close();
    if (!file_) open();
    file_->write(block);
  }

  /// Ends the last file and removes those that a larger extraction left behind it.
  std::vector<std::string> finish() {
    if (file_) close();
    while (fs::remove(path(static_cast<int>(files_.size()) + stale_))) ++stale_;
    return std::move(files_);
  }

 private:
  std::string path(int index) const {
    const int folder = index / kFilesAFolder;
    return fmt::format("{}/{}{}/wiki_{:02}", folder_, static_cast<char>('A' + folder / 26 % 26),
                       static_cast<char>('A' + folder % 26), index % kFilesAFolder);
  }
  void open() {
    const std::string name = path(static_cast<int>(files_.size()));
    std::error_code error;
    fs::create_directories(fs::path(name).parent_path(), error);
    if (error) fail("{}: cannot make the folder: {}", name, error.message());
    if (files_.size() % kFilesAFolder == 0) {
      io::remove_leftovers(fs::path(name).parent_path().string());
    }
    file_.emplace(name);
  }
  void close() {
    file_->commit();
    files_.push_back(file_->path());
    file_.reset();
  }

  std::string folder_;
  int64_t file_bytes_;
  std::optional<io::AtomicFile> file_;
  std::vector<std::string> files_;
  int stale_ = 0;
};

std::string attribute(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
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
  ArticleLines(const std::string& dump, const ExtractOptions& options)
      : dump_(dump),
        options_(options),
        reader_(open_source(dump, options.threads, options.streams)) {}

  std::optional<Job> next() override {
    std::optional<Batch> batch = read_batch(reader_);
    if (!batch) {
      if (!options_.allow_truncated && !damage().empty()) {
        fail("{}: {}; --allow_truncated takes its whole pages", dump_, damage());
      }
      ExtractCounts counts;
      counts.dump = reader_.counts();
      counts.damage = damage();
      counts.written = counts.dump.articles;  // which of them have prose, the shards tell
      check_counts(dump_, counts);
      return std::nullopt;
    }
    return [this, shared = std::make_shared<const Batch>(std::move(*batch))] {
      std::string blocks;
      for (const std::string& block : to_articles(*shared, reader_.site(), options_).blocks) {
        blocks += block;
      }
      return article_lines(blocks);
    };
  }
  std::string damage() const override { return reader_.damage(); }

 private:
  std::string dump_;
  ExtractOptions options_;
  DumpReader reader_;
};

}  // namespace

std::unique_ptr<LineSource> stream_articles(const std::string& dump,
                                            const ExtractOptions& options) {
  ExtractOptions as_blocks = options;
  as_blocks.json = false;
  return std::make_unique<ArticleLines>(dump, as_blocks);
}

std::string article_block(const Page& page, const std::string& url, std::string_view prose,
                          bool json) {
  if (json) {
    const nlohmann::ordered_json line = {{"id", std::to_string(page.id)},
                                         {"revid", std::to_string(page.revision)},
                                         {"url", url},
                                         {"title", page.title},
                                         {"text", prose.substr(0, prose.size() - 1)}};
    constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
    return line.dump(-1, ' ', true, kReplace) + "\n";
  }
  std::string body(prose);
  // Readers of this format end an article at these words wherever they stand.
  for (const std::string_view mark : {"<doc id=", "</doc>"}) {
    for (size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 2)) {
      body.insert(at + 1, " ");
    }
  }
  return fmt::format("<doc id=\"{}\" url=\"{}\" title=\"{}\">\n{}\n\n{}\n</doc>\n", page.id, url,
                     attribute(page.title), page.title, body);
}

ExtractCounts extract_dump(const std::string& dump, const ExtractOptions& options,
                           const std::function<void(const ExtractCounts&)>& progress) {
  DumpReader reader(open_source(dump, options.threads, options.streams));
  SplitWriter writer(options.output_dir, options.file_bytes);
  ExtractCounts counts;
  OrderedWorkers<Batch, Articles> workers(
      options.threads, [&] { return read_batch(reader); },
      [&](Batch&& batch) { return to_articles(batch, reader.site(), options); });
  while (const std::optional<Articles> articles = workers.next()) {
    for (const std::string& block : articles->blocks) {
      writer.write(block);
      counts.text_bytes += static_cast<int64_t>(block.size());
    }
    counts.written += static_cast<int64_t>(articles->blocks.size());
    counts.without_prose += articles->without_prose;
    counts.dump = articles->counts;
    if (progress) progress(counts);
  }
  counts.dump = reader.counts();
  counts.damage = reader.damage();
  check_counts(dump, counts);
  counts.files = writer.finish();
  return counts;
}

}  // namespace bertha::corpus
