#pragma once

// Whether text becomes lower case: one rule for all commands. The model's folder says it; else the
// vocabulary shows it; else the option holds, or the command's default.

#include <optional>
#include <string>

#include "text/tokenizer_file.h"

namespace bertha::text {

/// What the pieces show: true when none has a capital letter, false when many have, nothing when
/// few have or there are no letters.
std::optional<bool> lower_case_of(const Vocabulary& vocabulary);

struct Casing {
  bool lower_case = true;
  std::string warning{};  ///< not empty when two of the sources contradict each other
};

/// `option` is what the user asks for, `otherwise` the default of the command.
Casing choose_casing(const TokenizerFile& file, std::optional<bool> option, bool otherwise);

}  // namespace bertha::text
