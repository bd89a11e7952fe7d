#pragma once

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace bertha {

/// Starts up to `count` threads that run `body`. Where the system has no more threads for this
/// process, there are fewer, or none: the caller must do all of the work with those it gets.
template <typename Body>
void start_threads(std::vector<std::jthread>& threads, int64_t count, const Body& body) {
  threads.reserve(threads.size() + static_cast<size_t>(std::max<int64_t>(count, 0)));
  try {
    for (int64_t i = 0; i < count; ++i) threads.emplace_back(body);
  } catch (const std::system_error&) {
  }
}

}  // namespace bertha
