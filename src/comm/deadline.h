#pragma once

#include <chrono>
#include <functional>

namespace bertha::comm {

/// Calls `call` on a thread of its own, and returns when the call has ended, or after `limit`. True
/// when it ended in time. A call that does not end keeps its thread: only for processes that are
/// about to end. `call` must not throw.
bool call_with_deadline(std::function<void()> call, std::chrono::milliseconds limit);

}  // namespace bertha::comm
