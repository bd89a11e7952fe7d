#pragma once

#include <cstddef>
#include <cstdint>

namespace bertha::cpu {

/// Memory of the calling thread for the length of a loop's block: at least `size_bytes`, aligned to
/// 128 bytes, with any contents. A later call on the same thread gives the same memory, which only
/// grows.
std::byte* thread_scratch(int64_t size_bytes);

}  // namespace bertha::cpu
