#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include "cli/commands.h"
#include "cli/prepare_stages.h"

namespace bertha::cli {
namespace {

struct Stage {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments);
};

constexpr std::array kStages = {
    Stage{"extract", "a Wikipedia dump to plain articles, as WikiExtractor writes them",
          prepare_extract},
    Stage{"format", "articles or books to one line each", prepare_format},
    Stage{"shard", "sentences, in shards of equal numbers of them", prepare_shard},
    Stage{"instances", "text shards to HDF5: masked tokens and next-sentence pairs",
          prepare_instances},
    Stage{"pack", "several sequences a row, so that training spends little on padding",
          prepare_pack},
    Stage{"verify", "read all rows of all shards and check every field", prepare_verify},
};

std::string usage() {
  std::string text =
      "usage: bertha prepare [wiki_only | wiki_books] [options]\n"
      "       bertha prepare STAGE [options]\n\n"
      "Turns a dump and books into training data: all stages in turn under "
      "$BERT_PREP_WORKING_DIR\n(bertha prepare all --help), or one stage:\n\n";
  for (const Stage& stage : kStages)
    text += fmt::format("  {:<10} {}\n", stage.name, stage.summary);
  return text + "\nbertha prepare STAGE --help explains a stage and its options.\n";
}

}  // namespace

int run_prepare(Arguments arguments) {
  if (arguments.empty()) return prepare_all(arguments);
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h") {
    fmt::print("{}", usage());
    return 0;
  }
  for (const Stage& stage : kStages) {
    if (stage.name == name) return stage.run(arguments.subspan(1));
  }
  return prepare_all(arguments.subspan(name == "all" ? 1 : 0));
}

}  // namespace bertha::cli
