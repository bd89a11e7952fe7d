#pragma once

// Blocking TCP connections between the processes of one host.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace bertha::standin {

/// An open socket. Failures throw Refusal.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket();

  /// Listens on a free port of the loopback interface.
  static Socket listen(uint16_t& port);
  static Socket connect(uint16_t port);
  /// Waits for a connection, at most `seconds`.
  Socket accept(int64_t seconds) const;

  void send(std::span<const std::byte> bytes) const;
  void receive(std::span<std::byte> bytes) const;
  /// Makes calls that wait in other threads fail.
  void shut_down() const;

  template <typename T>
  void send_value(const T& value) const {
    send(std::as_bytes(std::span(&value, 1)));
  }
  template <typename T>
  T receive_value() const {
    T value;
    receive(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }

 private:
  int descriptor_ = -1;
};

}  // namespace bertha::standin
