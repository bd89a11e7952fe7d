#include <fmt/format.h>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "prepare/format_stage.h"

namespace bertha::cli {

int run_prepare_format(Arguments arguments) {
  prepare::FormatOptions format;
  Options options(
      "bertha prepare format",
      "Joins extracted articles, or books, to one line each, with a blank line between them.");
  options.value("input_dir", format.input_dir, "folder of AA/wiki_00 and so on, or of books (.txt)")
      .required();
  options.value("output_file", format.output_file, "the text file to write").required();
  options.flag("books", format.books, "the folder holds books, one in each file");
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  const corpus::FormatCounts counts = prepare::run_format(format).counts;
  fmt::print("{}: {} {} ({:.1f} MB), {} empty ones left out\n", format.output_file,
             counts.documents, format.books ? "books" : "articles",
             static_cast<double>(counts.text_bytes) / 1e6, counts.empty);
  return 0;
}

}  // namespace bertha::cli
