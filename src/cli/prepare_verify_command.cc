#include <fmt/format.h>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "cli/rank_options.h"
#include "core/parallel_for.h"
#include "prepare/verify_stage.h"

namespace bertha::cli {
namespace {

Options declare(prepare::VerifyOptions& verify) {
  Options options(
      "bertha prepare verify",
      "Reads all rows of all shards of a folder, packed or not, and checks every field: shapes, "
      "masks, positions, segments, masked tokens, next-sentence labels, unused places. With the "
      "vocabulary it also checks ids and special tokens. The exit status is 1 if anything is "
      "wrong, and one line describes each faulty file.");
  options.example("bertha prepare verify --input-dir=packed --vocab-file=vocab.txt",
                  "Check every row of a folder of shards");
  options.folder("input_dir", verify.input_dir, "folder of shards, or one shard").required();
  options.value("max_predictions_per_sequence", verify.max_predictions,
                "number of masked tokens of a row whose list has no end mark");
  options.file("vocab_file", verify.vocab_file, "vocabulary with which the shards were made");
  options.value("threads", verify.threads, "number of threads");
  return options;
}

}  // namespace

int run_prepare_verify(Arguments arguments, comm::Communicator& world) {
  prepare::VerifyOptions verify;
  verify.threads = thread_count();
  Options options = declare(verify);
  options.parse(arguments);
  if (!options.given("threads")) verify.threads = threads_beside(world);
  check_threads("threads", verify.threads);
  const prepare::VerifyResult result =
      prepare::run_verify(verify, world, open_status_line("verify", "files", !world.leads()));
  prepare::log_findings(result);
  if (world.leads()) fmt::print("{}\n", prepare::describe(result));
  return result.sound ? 0 : 1;
}

}  // namespace bertha::cli
