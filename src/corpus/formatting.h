#pragma once

// Articles and books to one line each, a blank line between: the form in which all sources look
// the same.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/line_source.h"

namespace bertha::corpus {

struct FormatCounts {
  int64_t documents = 0;
  int64_t empty = 0;  ///< had a title and no text; left out
  int64_t text_bytes = 0;
};

/// Joins the articles of WikiExtractor's files (<doc> blocks) under `folder`, files in the order of
/// their names: the title line goes, blank lines go, the others lose their trailing blanks and get
/// one blank. Throws Error when there is no article.
FormatCounts format_articles(const std::string& folder, const std::string& output);

/// Joins the .txt files of a folder, in the order of their names, a book each: lines stripped,
/// joined by blanks. The byte order mark and the licence that Project Gutenberg puts around a book
/// go. Throws Error when there is no book.
FormatCounts format_books(const std::string& folder, const std::string& output);

/// The lines of the articles in a text of <doc> blocks, those without text left out.
std::vector<std::string> article_lines(std::string_view blocks);

/// The lines that format_books would write, without a file. Throws Error when there is no book.
std::unique_ptr<LineSource> stream_books(const std::string& folder);

}  // namespace bertha::corpus
