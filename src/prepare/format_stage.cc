#include "prepare/format_stage.h"

namespace bertha::prepare {

FormatResult run_format(const FormatOptions& options) {
  return {options.books ? corpus::format_books(options.input_dir, options.output_file)
                        : corpus::format_articles(options.input_dir, options.output_file)};
}

}  // namespace bertha::prepare
