#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "core/error.h"
#include "corpus/formatting.h"

namespace bertha::cli {

int prepare_format(Arguments arguments) {
  std::string input;
  std::string output;
  bool books = false;
  Options options(
      "bertha prepare format",
      "Joins extracted articles, or books, to one line each with a blank line between.");
  options.value("input_dir", input, "folder of AA/wiki_00 and so on, or of books (.txt)")
      .required();
  options.value("output_file", output, "the text file to write").required();
  options.flag("books", books, "the folder holds books, one a file");
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  const corpus::FormatCounts counts =
      books ? corpus::format_books(input, output) : corpus::format_articles(input, output);
  fmt::print("{}: {} {} ({:.1f} MB), {} empty ones left out\n", output, counts.documents,
             books ? "books" : "articles", static_cast<double>(counts.text_bytes) / 1e6,
             counts.empty);
  return 0;
}

}  // namespace bertha::cli
