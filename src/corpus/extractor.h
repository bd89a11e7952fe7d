#pragma once

// A dump to files of plain articles, named and formed as WikiExtractor's: AA/wiki_00 … AA/wiki_99,
// AB/wiki_00 …

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

struct ExtractOptions {
  std::string output_dir;
  ArticleForm form = ArticleForm::kBlock;
  int64_t file_bytes = int64_t{1} << 20;  ///< a file ends before the article that would exceed this
  bool compress = false;  ///< files as wiki_00.bz2; file_bytes counts what is in them
  /// Where set, the articles go here in their order and no file is written.
  std::function<void(std::string_view)> sink;
  int64_t threads = 1;
  bool allow_truncated = false;  ///< a dump that is cut off is no error for stream_articles()
  std::vector<int64_t> streams;  ///< of a multistream dump (multistream.h): where each begins
  WikitextOptions wikitext;
  ReportProgress progress;  ///< in bytes of the dump's file
};

struct ExtractCounts {
  DumpCounts dump;
  int64_t without_prose = 0;  ///< articles that were nothing but boxes, lists and tables
  int64_t written = 0;
  int64_t text_bytes = 0;
  std::string damage;  ///< why the dump ended early, or empty
  std::vector<std::string> files;
};

/// Reads `dump` and writes its articles with prose in the order of the dump; the bytes are the same
/// for any number of threads. Files appear whole. Throws Error when the dump cannot be read or has
/// no article with prose (a dump that is cut off gives what it has, and its damage).
ExtractCounts extract_dump(const std::string& dump, const ExtractOptions& options);

/// The lines of the dump's articles as extract_dump() and the format stage make them, without their
/// files. `options` gives lists, headings, threads, streams and allow_truncated: unless that is
/// set, next() throws Error at the end of a dump that is cut off.
std::unique_ptr<LineSource> stream_articles(const std::string& dump, const ExtractOptions& options);

/// An article as it stands in a file. `prose` ends with a line end.
std::string format_article(const Page& page, const std::string& url, std::string_view prose,
                           ArticleForm form);

}  // namespace bertha::corpus
