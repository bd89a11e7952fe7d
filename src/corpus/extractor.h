#pragma once

// A dump to files of plain articles, named and formed as WikiExtractor's: AA/wiki_00 … AA/wiki_99,
// AB/wiki_00 …, each with <doc id= url= title=> blocks or a JSON line an article.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "corpus/dump_reader.h"
#include "corpus/line_source.h"
#include "corpus/wikitext.h"

namespace bertha::corpus {

struct ExtractOptions {
  std::string output_dir;
  bool json = false;
  int64_t file_bytes = int64_t{1} << 20;  ///< a file ends before the article that would exceed this
  int64_t threads = 1;
  bool allow_truncated = false;  ///< a dump that is cut off is no error for stream_articles()
  std::vector<int64_t> streams;  ///< of a multistream dump (multistream.h): where each begins
  WikitextOptions wikitext;
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
/// for any number of threads. Files appear whole. `progress` is called now and then with the counts
/// so far. Throws Error when the dump cannot be read or has no article with prose (a dump that is
/// cut off gives what it has, and its damage).
ExtractCounts extract_dump(const std::string& dump, const ExtractOptions& options,
                           const std::function<void(const ExtractCounts&)>& progress = {});

/// The lines of the dump's articles as extract_dump() and the format stage make them, without their
/// files. `options` gives lists, headings, threads, streams and allow_truncated: unless that is
/// set, next() throws Error at the end of a dump that is cut off.
std::unique_ptr<LineSource> stream_articles(const std::string& dump, const ExtractOptions& options);

/// The block or JSON line of an article.
std::string article_block(const Page& page, const std::string& url, std::string_view prose,
                          bool json);

}  // namespace bertha::corpus
