#pragma once

// Sets of code points from U+0080 on, as Hugging Face's `tokenizers` package has them.

#include <span>

#include "text/unicode_tables.h"

namespace bertha::text::tables {

std::span<const Range> hf_word();
std::span<const Range> hf_numeric();
std::span<const Range> hf_combining();
std::span<const Range> hf_canonical();
std::span<const Range> hf_compatible();

}  // namespace bertha::text::tables
