#pragma once

// Tables of scores on standard output, before the line of JSON that programs read.

#include <cstdint>
#include <span>
#include <string>

#include "tasks/hit_counts.h"

namespace bertha::cli {

/// Precision, recall, F1 and number of each row, then of `all`. `kind` heads the names: "type";
/// `counted` the numbers: "spans".
void print_scores(const char* kind, const char* counted, std::span<const tasks::HitCounts> rows,
                  const tasks::HitCounts& all);

/// A row for each true class, a column for each predicted one. `confusion` is [true, predicted].
/// Beyond ten classes it prints the commonest mistakes instead.
void print_confusion(std::span<const std::string> names, std::span<const int64_t> confusion);

}  // namespace bertha::cli
