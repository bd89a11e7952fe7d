#include "prepare/extract_stage.h"

#include <spdlog/spdlog.h>

#include "core/error.h"
#include "io/archive/multistream.h"
#include "prepare/stopwatch.h"

namespace bertha::prepare {

ExtractResult run_extract(const ExtractOptions& options, const ReportProgress& progress) {
  corpus::ExtractOptions articles = options.articles;
  std::vector<corpus::DumpPart> parts;
  for (const std::string& dump : options.dumps) {
    parts.push_back({dump, find_streams(dump, options.index, articles.threads)});
  }
  articles.progress = progress;
  const Stopwatch watch;
  ExtractResult result;
  result.counts = corpus::extract_dump(parts, articles);
  result.seconds = watch.seconds();
  return result;
}

std::string describe(const ExtractResult& result) {
  const corpus::ExtractCounts& counts = result.counts;
  const corpus::DumpCounts& dump = counts.dump;
  return fmt::format(
      "{} pages: {} articles written ({:.1f} MB); left out: {} redirects, {} of other namespaces, "
      "{} without prose, {} empty, {} no wikitext, {} too long, {} repeated, {} broken off",
      dump.pages, counts.written, static_cast<double>(counts.text_bytes) / 1e6, dump.redirects,
      dump.other_namespaces, counts.without_prose, dump.empty, dump.other_models, dump.oversized,
      dump.repeated, dump.broken);
}

std::vector<int64_t> find_streams(const std::string& dump, std::string index, int64_t threads) {
  if (index.empty()) index = io::find_stream_index(dump);
  if (index.empty()) return {};
  try {
    std::vector<int64_t> streams = io::read_stream_index(index, dump, threads);
    spdlog::info("{}: {} streams, by {}", dump, streams.size(), index);
    return streams;
  } catch (const Error& error) {
    spdlog::warn("{}; the dump is read without it", error.what());
    return {};
  }
}

}  // namespace bertha::prepare
