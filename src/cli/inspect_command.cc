#include <cstdio>

#include "cli/commands.h"
#include "cli/inspect_commands.h"
#include "cli/options.h"
#include "cli/sandbox.h"
#include "core/error.h"
#include "core/strings.h"
#include "dataset/shard_survey.h"

namespace bertha::cli {

int run_inspect(Arguments arguments) {
  std::vector<std::string> paths;
  InspectOptions o;
  Options table(
      "bertha inspect",
      "Shows what a checkpoint or weight file contains: every tensor with its shape, data type, "
      "norm and number of NaN and infinite values; the config, the step and the history. With "
      "--diff it shows how two files differ, and the exit status is 1 if they do. For pre-training "
      "shards it reads every row and shows figures, lengths and samples.");
  table.example("bertha inspect results/ckpt_7038.pt", "Tensors, config and step of a checkpoint");
  table.example("bertha inspect ours.pt --diff=theirs.pt", "How two files of weights differ");
  table.example("bertha inspect shards/128 --vocab-file=vocab.txt --samples=3",
                "Figures of pre-training shards, and three rows as text");
  table.example("bertha inspect all-MiniLM-L6-v2 --quantisation",
                "The error that int8 makes in each product of a model");
  table.positional("PATH", paths, 1, "a file or folder of weights, or of shards (.hdf5)",
                   ValueKind::kFile);
  table.file("diff", o.diff, "file to compare with, tensor by tensor");
  table.flag("quantisation", o.quantisation,
             "show for each product of the encoder what --precision int8 makes of it: the relative "
             "error of the weight, and of the result on some texts when all before it is exact");
  table.file(
      "text", o.text,
      "with --quantisation: file of texts, one on each line, of which the first 64 are read");
  table.flag("json", o.json, "print one JSON object");
  table.file("svg", o.svg, "for shards: file to draw the lengths of sequences into");
  table.file("vocab_file", o.vocab_file,
             "for shards: vocabulary, to check special tokens and show rows as text");
  table.value("samples", o.samples, "for shards: number of rows to show");
  SandboxChoice sandbox;
  sandbox.declare(table);
  table.parse(arguments);
  if (paths.size() != 1) fail("bertha inspect: expected one PATH, got {}", join(paths, " "));
  o.path = paths[0];
  sandbox.confine_files(rights_to_write({o.svg}));
  sandbox.confine_calls();
  if (const std::string below = dataset::folder_with_shards(o.path); !below.empty()) {
    fail("{}: no .hdf5 file here; there are some in {}", o.path, below);
  }
  if (dataset::holds_shards(o.path)) return inspect_shards(o);
  if (!o.text.empty() && !o.quantisation) fail("--text goes with --quantisation");
  if (o.quantisation) return inspect_quantisation(o);
  return o.diff.empty() ? inspect_weights(o) : inspect_diff(o);
}

}  // namespace bertha::cli
