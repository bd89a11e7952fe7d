#include <fmt/format.h>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "io/output_check.h"
#include "prepare/format_stage.h"

namespace bertha::cli {

int run_prepare_format(Arguments arguments) {
  prepare::FormatOptions format;
  bool overwrite = false;
  Options options(
      "bertha prepare format",
      "Joins extracted articles, or books, to one line each, with a blank line between them.");
  options.example("bertha prepare format --books --input-dir=books --output-file=books.txt",
                  "One line for each book");
  options
      .folder("input_dir", format.input_dir, "folder of AA/wiki_00 and so on, or of books (.txt)")
      .required();
  options.file("output_file", format.output_file, "the text file to write").required();
  options.flag("books", format.books, "the folder holds books, one in each file");
  options.flag("overwrite", overwrite, "replace the file of --output-file");
  options.parse(arguments);
  io::check_output(format.output_file, {}, overwrite);
  const corpus::FormatCounts counts = prepare::run_format(format).counts;
  fmt::print("{}: {} {} ({:.1f} MB), {} empty ones left out\n", format.output_file,
             counts.documents, format.books ? "books" : "articles",
             static_cast<double>(counts.text_bytes) / 1e6, counts.empty);
  return 0;
}

}  // namespace bertha::cli
