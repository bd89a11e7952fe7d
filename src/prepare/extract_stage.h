#pragma once

// The extract stage: a Wikipedia dump becomes files of plain articles.

#include <cstdint>
#include <string>
#include <vector>

#include "core/progress.h"
#include "corpus/extractor.h"

namespace bertha::prepare {

struct ExtractOptions {
  /// Parts of a dump, in their order: pages-articles.xml, plain, .bz2, .gz, .xz or .zst; "-":
  /// standard input.
  std::vector<std::string> dumps;
  std::string index =
      {};  ///< of a multistream dump; empty: the index beside the dump, if there is one
  corpus::ExtractOptions articles = {};  ///< run_extract() sets `progress`
};

struct ExtractResult {
  corpus::ExtractCounts counts;
  double seconds = 0;
};

/// For a command that runs this stage alone: takes the output folder for it (output_claim.h).
/// Throws Error where another command extracted articles into it and `overwrite` is false.
void claim_articles(const ExtractOptions& options, bool overwrite);

/// Extracts the articles (corpus::extract_dump). `progress` is in bytes of the dump's file. A dump
/// that is cut off is no error here: counts.damage says why it ended.
ExtractResult run_extract(const ExtractOptions& options, const ReportProgress& progress);

/// "361 pages: 214 articles written (5.0 MB); left out: …"
std::string describe(const ExtractResult& result);

/// Where the streams of a multistream dump begin, by `index` or, when that is empty, by the index
/// beside the dump. Empty when there is no index. Also empty when the index does not fit the dump,
/// with a warning in the log.
std::vector<int64_t> find_streams(const std::string& dump, std::string index, int64_t threads);

}  // namespace bertha::prepare
