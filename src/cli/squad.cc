#include "cli/commands.h"
#include "cli/squad_tools.h"
#include "core/error.h"

namespace bertha::cli {

int run_squad(Arguments arguments) {
  if (!arguments.empty() && arguments[0] == "score") {
    return run_squad_score(arguments.subspan(1));
  }
  fail("bertha squad: expected score");
}

}  // namespace bertha::cli
