#pragma once

// The articles of a dump as plain text: in files with WikiExtractor's names and form (AA/wiki_00 …
// AA/wiki_99, AB/wiki_00 …), or as a source of lines without a file.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/progress.h"
#include "corpus/dump_reader.h"
#include "corpus/line_source.h"
#include "corpus/wikitext.h"

namespace bertha::corpus {

enum class ArticleForm {
  kBlock,  ///< <doc id= url= title=>, title, text, </doc>
  kJson,   ///< a line with id, revid, url, title and text
  kText,   ///< the text alone
};

/// A file of a dump. Larger wikis are published in several.
struct DumpPart {
  std::string path;                   ///< "-": standard input
  std::vector<int64_t> streams = {};  ///< offsets of a multistream file's streams (multistream.h)
};

struct ExtractOptions {
  std::string output_dir;
  ArticleForm form = ArticleForm::kBlock;
  int64_t file_bytes = int64_t{1} << 20;  ///< a file ends before the article that would exceed this
  bool compress = false;  ///< writes wiki_00.bz2 and so on; file_bytes counts uncompressed bytes
  /// When set, it gets the articles in their order and no file is written.
  std::function<void(std::string_view)> sink;
  int64_t threads = 1;
  bool allow_truncated = false;  ///< stream_articles() accepts a dump that is cut off
  WikitextOptions wikitext;
  ReportProgress progress;  ///< in bytes of the dump's files
};

struct ExtractCounts {
  DumpCounts dump;
  int64_t without_prose = 0;  ///< articles of nothing but boxes, lists and tables
  int64_t written = 0;
  int64_t text_bytes = 0;
  std::string damage;  ///< why a part of the dump ended early, or empty
  std::vector<std::string> files;
};

/// Reads the parts of a dump in their order and writes its articles with prose in the order of the
/// dump. An article that comes again later, in the same part or another, is left out and counted as
/// repeated. The bytes are the same for any number of threads. Files appear whole. Throws Error
/// when the dump cannot be read or has no article with prose. Of a part that is cut off the whole
/// pages are written, the further parts follow, and `damage` says why it ended.
ExtractCounts extract_dump(const std::vector<DumpPart>& parts, const ExtractOptions& options);

/// Whether a folder holds files that extract_dump() may have made: AA/wiki_00 and so on.
bool holds_articles(const std::string& folder);

/// Gives the lines that format_articles() would make of the files of extract_dump(), without these
/// files. `options` gives wikitext, threads, progress and allow_truncated. Unless
/// allow_truncated is set, next() throws Error at the end of a dump that is cut off.
std::unique_ptr<LineSource> stream_articles(const std::vector<DumpPart>& parts,
                                            const ExtractOptions& options);

/// An article as it stands in a file. `prose` is what wikitext_to_prose() returns.
std::string format_article(const Page& page, const std::string& url, std::string_view prose,
                           ArticleForm form);

}  // namespace bertha::corpus
