#pragma once

#include "cli/commands.h"

namespace bertha::cli {

/// `bertha squad score GOLD PREDICTIONS`.
int run_squad_score(Arguments arguments);
/// `bertha squad features FILE`.
int run_squad_features(Arguments arguments);

}  // namespace bertha::cli
