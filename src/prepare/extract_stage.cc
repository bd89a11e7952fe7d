#include "prepare/extract_stage.h"

#include <spdlog/spdlog.h>

#include "core/counted.h"
#include "core/error.h"
#include "io/archive/multistream.h"
#include "prepare/output_claim.h"
#include "prepare/stopwatch.h"

namespace bertha::prepare {
namespace {

const char* name_of(corpus::ArticleForm form) {
  if (form == corpus::ArticleForm::kJson) return "json";
  return form == corpus::ArticleForm::kText ? "text" : "doc";
}

const char* name_of(corpus::ListItems lists) {
  if (lists == corpus::ListItems::kNone) return "none";
  return lists == corpus::ListItems::kAll ? "all" : "prose";
}

const char* name_of(corpus::Formulas formulas) {
  if (formulas == corpus::Formulas::kNone) return "none";
  return formulas == corpus::Formulas::kText ? "text" : "number";
}

}  // namespace

void claim_articles(const ExtractOptions& options, bool overwrite) {
  const corpus::ExtractOptions& articles = options.articles;
  if (articles.sink) return;
  const corpus::WikitextOptions& wikitext = articles.wikitext;
  const std::string pattern = "*/wiki_*";
  OutputClaim claim{.stage = "extract",
                    .folder = articles.output_dir,
                    .outputs = {pattern},
                    .present = {},
                    .made_by = {{"dump", describe_inputs(options.dumps)},
                                {"bytes", fmt::format("{}", articles.file_bytes)},
                                {"compress", articles.compress ? "yes" : "no"},
                                {"form", name_of(articles.form)},
                                {"lists", name_of(wikitext.lists)},
                                {"formulas", name_of(wikitext.formulas)},
                                {"headings", wikitext.headings ? "yes" : "no"}},
                    .option = "output-dir"};
  if (corpus::holds_articles(articles.output_dir)) claim.present = {pattern};
  claim_outputs(claim, overwrite);
}

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
      "{}: {} written ({:.1f} MB); left out: {} redirects, {} of other namespaces, "
      "{} without prose, {} empty, {} no wikitext, {} too long, {} repeated, {} broken off",
      counted(dump.pages, "page"), counted(counts.written, "article"),
      static_cast<double>(counts.text_bytes) / 1e6, dump.redirects, dump.other_namespaces,
      counts.without_prose, dump.empty, dump.other_models, dump.oversized, dump.repeated,
      dump.broken);
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
