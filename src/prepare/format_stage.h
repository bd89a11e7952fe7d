#pragma once

// The format stage: extracted articles, or books, become one line each in one file.

#include <string>

#include "corpus/formatting.h"

namespace bertha::prepare {

struct FormatOptions {
  std::string input_dir;  ///< folder of AA/wiki_00 and so on, or of books (.txt)
  std::string output_file;
  bool books = false;  ///< the folder holds books, one a file
};

struct FormatResult {
  corpus::FormatCounts counts;
};

/// Writes the file, whole or not at all; its folder must exist.
FormatResult run_format(const FormatOptions& options);

}  // namespace bertha::prepare
