#pragma once

// The stages of `bertha prepare`, one file each. A stage gets the words after its name.

#include "cli/commands.h"

namespace bertha::cli {

int prepare_extract(Arguments arguments);
int prepare_instances(Arguments arguments);
int prepare_pack(Arguments arguments);
int prepare_verify(Arguments arguments);

}  // namespace bertha::cli
