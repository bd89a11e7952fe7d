#include "backend/cpu/thread_scratch.h"

#include "backend/cpu/aligned_memory.h"

namespace bertha::cpu {

std::byte* thread_scratch(int64_t size_bytes) {
  thread_local AlignedMemory memory;
  if (memory.size_bytes() < size_bytes) {
    memory = AlignedMemory();
    memory = AlignedMemory(size_bytes);
  }
  return memory.at();
}

}  // namespace bertha::cpu
