#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "core/counted.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "prepare/extract_stage.h"

namespace bertha::cli {
namespace {

struct Settings {
  std::vector<std::string> dumps;
  std::string bytes = "1M";
  std::string lists = "prose";
  std::string formulas = "number";
  bool no_headings = false;
  bool json = false;
  bool text = false;
  bool quiet = false;
  bool overwrite = false;
  prepare::ExtractOptions extract;
};

Options declare(Settings& settings) {
  Options options("bertha prepare extract",
                  "Turns a Wikipedia dump (XML, plain, .bz2, .gz, .xz or .zst) into files of plain "
                  "articles. "
                  "Their names and form are those of WikiExtractor.");
  options.example(
      "bertha prepare extract enwiki-latest-pages-articles.xml.bz2 -o extracted -b 100M",
      "Articles in files of 100 MB");
  options.positional("DUMP...", settings.dumps, 1,
                     "pages-articles.xml, .xml.bz2 and so on; several parts of a dump in their "
                     "order; -: standard input",
                     ValueKind::kFile);
  corpus::ExtractOptions& articles = settings.extract.articles;
  articles.output_dir = "text";
  articles.threads = thread_count();
  options
      .folder("output_dir", articles.output_dir,
              "folder for AA/wiki_00 and so on; -: standard output")
      .letter('o')
      .alias("output", "output_dir");
  options
      .value("bytes", settings.bytes,
             "maximum size of a file, with K, M or G; 0: one article in each file")
      .letter('b');
  options
      .flag("compress", articles.compress,
            "compress the files (wiki_00.bz2 and so on); --bytes counts the text in them")
      .letter('c');
  options.flag("json", settings.json,
               "write one JSON object for each article, on a line, instead of <doc> blocks");
  options.flag("text", settings.text, "write only the text instead of <doc> blocks");
  options.value("threads", articles.threads, "number of threads").alias("processes", "threads");
  options.file("index", settings.extract.index,
               "index of a multistream dump, to read its streams in parallel (default: "
               "x-index.txt.bz2 beside x.xml.bz2, if it exists)");
  options.flag("allow_truncated", articles.allow_truncated,
               "accept a dump that is cut off, and use its complete pages");
  options.choice("lists", settings.lists, {"none", "prose", "all"},
                 "list items to keep; prose: whole sentences");
  options.choice("formulas", settings.formulas, {"number", "text", "none"},
                 "what stands for a formula: number (formula_1, as WikiExtractor) or text (its "
                 "source)");
  options.flag("no_headings", settings.no_headings, "leave out the headings of sections");
  options.flag("quiet", settings.quiet, "show no status line").letter('q');
  options.flag("overwrite", settings.overwrite,
               "replace articles in the folder that another command extracted");
  options.accepted("no_templates", false,
                   "templates that carry text are rendered, all others are dropped");
  options.accepted("templates", true, "templates need no separate pass");
  options.accepted("html_safe", true, "nothing is escaped in plain text");
  options.accepted("sections", false, "headings of sections stay unless --no-headings").letter('s');
  options.accepted("debug", false, "there is no debug log");
  options.accepted("discard_empty", false, "articles without prose are always left out");
  return options;
}

int64_t parse_bytes(const std::string& text) {
  int64_t number = 0;
  size_t digits = 0;
  for (; digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits])) != 0;
       ++digits) {
    number = std::min<int64_t>(number * 10 + (text[digits] - '0'), int64_t{1} << 32);
  }
  const std::string unit = text.substr(digits);
  int shift = -1;
  if (unit.empty()) shift = 0;
  if (unit == "K" || unit == "k") shift = 10;
  if (unit == "M" || unit == "m") shift = 20;
  if (unit == "G" || unit == "g") shift = 30;
  if (digits == 0 || shift < 0)
    fail("--bytes \"{}\": expected a number, or one with K, M, G", text);
  return number << shift;
}

void write_to_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    fail("standard output: cannot write: {}", std::strerror(errno));
  }
}

std::string name_of(const std::vector<std::string>& dumps) {
  if (dumps.size() > 1) return fmt::format("{} parts", dumps.size());
  return dumps.front() == "-" ? "standard input" : dumps.front();
}

void report(const prepare::ExtractOptions& options, const prepare::ExtractResult& result) {
  const bool to_stdout = options.articles.output_dir == "-";
  std::FILE* out = to_stdout ? stderr : stdout;
  fmt::print(out, "{}: {}\n", name_of(options.dumps), prepare::describe(result));
  const std::string files =
      to_stdout ? ""
                : fmt::format("{} in {}, ", counted(std::ssize(result.counts.files), "file"),
                              options.articles.output_dir);
  fmt::print(out, "{}{:.1f} s ({:.1f} MB of XML a second)\n", files, result.seconds,
             static_cast<double>(result.counts.dump.xml_bytes) / 1e6 / result.seconds);
}

/// Throws Error for options that contradict each other.
prepare::ExtractOptions finish(const Settings& settings) {
  prepare::ExtractOptions options = settings.extract;
  options.dumps = settings.dumps;
  if (options.dumps.size() > 1 && !options.index.empty()) {
    fail("--index with several parts: the index of each is read when it lies beside it");
  }
  if (std::ranges::count(options.dumps, "-") > 1) fail("-: standard input is one part at most");
  corpus::ExtractOptions& articles = options.articles;
  check_threads("threads", articles.threads);
  articles.file_bytes = parse_bytes(settings.bytes);
  articles.wikitext = {corpus::parse_list_items(settings.lists), !settings.no_headings,
                       corpus::parse_formulas(settings.formulas)};
  if (settings.json && settings.text) fail("--json and --text: one of them at a time");
  if (settings.json) articles.form = corpus::ArticleForm::kJson;
  if (settings.text) articles.form = corpus::ArticleForm::kText;
  if (articles.output_dir == "-") articles.sink = write_to_stdout;
  return options;
}

}  // namespace

int run_prepare_extract(Arguments arguments) {
  Settings settings;
  Options options = declare(settings);
  options.parse(arguments);
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  const prepare::ExtractOptions extract = finish(settings);
  prepare::claim_articles(extract, settings.overwrite);
  const prepare::ExtractResult result =
      prepare::run_extract(extract, open_status_line("extract", "", settings.quiet));
  report(extract, result);
  const std::string& damage = result.counts.damage;
  if (damage.empty()) return 0;
  spdlog::warn("{}: {}; its complete pages were used. To accept this, give --allow-truncated",
               name_of(extract.dumps), damage);
  return extract.articles.allow_truncated ? 0 : 1;
}

}  // namespace bertha::cli
