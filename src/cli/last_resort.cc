#include "cli/last_resort.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

#include "io/unfinished.h"

namespace bertha::cli {
namespace {

constexpr size_t kReserveBytes = size_t{1} << 20;

std::atomic<void*> reserve{nullptr};
std::atomic<bool> memory_is_out{false};
std::array<char, 64> command{};

/// Called by operator new, which then tries again. Without a reserve it must throw.
void release_reserve() {
  void* const block = reserve.exchange(nullptr);
  if (block != nullptr) return std::free(block);
  memory_is_out = true;
  throw std::bad_alloc();
}

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

bool is_lack_of_memory(const std::exception_ptr& exception) {
  if (!exception) return false;
  try {
    std::rethrow_exception(exception);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// An allocation of a library failed where no exception may leave, in a destructor for example. One
/// thread ends the program; the others wait for that.
[[noreturn]] void end_at_once() {
  static std::atomic<bool> ending{false};
  while (ending.exchange(true)) ::pause();
  if (!memory_is_out && !is_lack_of_memory(std::current_exception())) std::abort();
  io::remove_unfinished();
  say_out_of_memory();
  ::_exit(1);
}

}  // namespace

void prepare_last_resort(const char* name) {
  std::strncpy(command.data(), name, command.size() - 1);
  reserve = std::malloc(kReserveBytes);
  std::set_new_handler(release_reserve);
  std::set_terminate(end_at_once);
}

void say_out_of_memory() {
  static std::atomic<bool> said{false};
  if (said.exchange(true)) return;
  say("error: ");
  say(command.data());
  say(": out of memory\n");
}

}  // namespace bertha::cli
