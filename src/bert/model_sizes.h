#pragma once

// The shapes of BERT by name, so that nobody writes a config by hand: base and large of Devlin et
// al. 2018, the smaller ones of Turc et al. 2019 (section 3), as google-research/bert lists them.

#include <cstdint>
#include <string>
#include <vector>

#include "bert/config.h"

namespace bertha::bert {

/// tiny, mini, small, medium, base, large.
std::vector<std::string> model_sizes();

/// The model of that name for a vocabulary of `vocab_size` pieces. Throws Error for another name.
Config config_of_size(const std::string& size, int64_t vocab_size);

}  // namespace bertha::bert
