#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "cli/prepare_stages.h"
#include "core/error.h"

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
    Stage{"instances", "text shards to HDF5: masked tokens and next-sentence pairs",
          prepare_instances},
    Stage{"pack", "several sequences a row, so that training spends little on padding",
          prepare_pack},
    Stage{"verify", "read all rows of all shards and check every field", prepare_verify},
};

std::string usage() {
  std::string text = "usage: bertha prepare STAGE [options]\n\nTurns text into training data.\n\n";
  for (const Stage& stage : kStages)
    text += fmt::format("  {:<10} {}\n", stage.name, stage.summary);
  return text + "\nbertha prepare STAGE --help explains a stage and its options.\n";
}

}  // namespace

int run_prepare(Arguments arguments) {
  if (arguments.empty()) fail("prepare: which stage? bertha prepare --help lists them");
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h") {
    fmt::print("{}", usage());
    return 0;
  }
  for (const Stage& stage : kStages) {
    if (stage.name == name) return stage.run(arguments.subspan(1));
  }
  fail("prepare: no stage \"{}\"; bertha prepare --help lists them", name);
}

}  // namespace bertha::cli
