#pragma once

// Reads the pages of a MediaWiki XML dump (pages-articles, with or without history, schemas 0.3 to
// 0.11) one at a time. Dumps that are joined end to end and rows of <page> elements are read too.
// Memory is bounded for every file.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "corpus/site.h"
#include "io/archive/byte_source.h"

namespace bertha::corpus {

/// A page with the text of its newest revision, by time.
struct Page {
  int64_t id = 0;
  int64_t revision = 0;
  int32_t namespace_key = kArticleKey;
  std::string title;
  std::string text;  ///< wikitext, UTF-8
  bool is_redirect = false;
};

/// Counts of pages by result; next() returned `articles`.
struct DumpCounts {
  int64_t pages = 0;
  int64_t articles = 0;
  int64_t redirects = 0;
  int64_t other_namespaces = 0;
  int64_t other_models = 0;  ///< scripts, style sheets, data
  int64_t empty = 0;
  int64_t oversized = 0;  ///< text over kMaxTextBytes
  int64_t repeated = 0;   ///< pages that directly follow one of the same number and title
  int64_t broken = 0;     ///< pages that errors in the XML ended; not among `pages`
  int64_t xml_bytes = 0;

  void add(const DumpCounts& other);
};

class DumpReader {
 public:
  /// MediaWiki itself limits a text to 2 MiB.
  static constexpr size_t kMaxTextBytes = size_t{16} << 20;

  explicit DumpReader(std::unique_ptr<io::ByteSource> source);
  ~DumpReader();
  DumpReader(const DumpReader&) = delete;
  DumpReader& operator=(const DumpReader&) = delete;

  /// The next article: namespace 0, not a redirect, not empty, wikitext. Nothing at the end.
  std::optional<Page> next();

  const DumpCounts& counts() const;
  /// The contents of the dump's header. They no longer change once next() has returned a page.
  const Site& site() const;
  /// What was not read, or empty when all was: why the dump ended early (the file is cut off or
  /// damaged), and the first place where the XML is not well-formed, with what is lost there. The
  /// reader goes on at the next <page>. Complete once next() has returned nothing.
  const std::string& damage() const;
  /// The underlying source, for progress.
  const io::ByteSource& source() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace bertha::corpus
