#include "comm/deadline.h"

#include <future>
#include <memory>
#include <thread>
#include <utility>

namespace bertha::comm {

bool call_with_deadline(std::function<void()> call, std::chrono::milliseconds limit) {
  auto ended = std::make_shared<std::promise<void>>();
  const std::future<void> future = ended->get_future();
  std::thread([call = std::move(call), ended] {
    call();
    ended->set_value();
  }).detach();
  return future.wait_for(limit) == std::future_status::ready;
}

}  // namespace bertha::comm
