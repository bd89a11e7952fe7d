#pragma once

// Articles and books become one line each, with a blank line between. All sources look the same in
// this form.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "corpus/line_source.h"

namespace bertha::corpus {

struct FormatCounts {
  int64_t documents = 0;
  int64_t empty = 0;  ///< articles or books without text; they are left out
  int64_t text_bytes = 0;
};

/// Writes the articles of WikiExtractor's files (<doc> blocks) under `folder` to the file `output`,
/// in the order of the files' names. The title line and blank lines are left out. The other lines
/// lose their trailing blanks and are followed by one blank. Throws Error when there is no article.
FormatCounts format_articles(const std::string& folder, const std::string& output);

/// Writes the .txt files of a folder, one book each, to the file `output`, in the order of their
/// names. Lines are stripped and joined by blanks. The byte order mark and the licence that Project
/// Gutenberg puts around a book are left out. Throws Error when there is no book.
FormatCounts format_books(const std::string& folder, const std::string& output);

/// Joins the lines of an article as format_articles() does: without trailing blanks, without empty
/// lines, one blank after each line.
std::string join_lines(std::string_view text);

/// Gives the lines that format_books() would write, without a file. Throws Error when there is no
/// book.
std::unique_ptr<LineSource> stream_books(const std::string& folder);

}  // namespace bertha::corpus
