#pragma once

// Counts the words of text files on all threads, for the training of a vocabulary.

#include <optional>
#include <span>
#include <string>

#include "text/unicode.h"
#include "text/wordpiece_trainer.h"

namespace bertha::text {

/// Counts the words of all files. They are read in blocks, so that memory holds a block and the
/// distinct words. The counts are the same for any number of threads. Throws Error when a file
/// cannot be read or has a line of more than 1 GiB.
WordCounts count_words(std::span<const std::string> files, bool lower_case, TokenRules rules,
                       std::optional<bool> strip_accents = std::nullopt);

}  // namespace bertha::text
