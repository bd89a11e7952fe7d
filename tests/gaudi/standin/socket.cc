#include "gaudi/standin/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

void check(bool holds, std::string_view what) {
  require(holds, kHccl, rule::kConnection, "{}: {}", what, std::strerror(errno));
}

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void send_small_messages_at_once(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Socket Socket::listen(uint16_t& port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(socket.descriptor_ >= 0, "a socket");
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  check(::bind(socket.descriptor_, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
            ::listen(socket.descriptor_, 16) == 0 &&
            ::getsockname(socket.descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
        "listening on the loopback interface");
  port = ntohs(address.sin_port);
  return socket;
}

Socket Socket::connect(uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(socket.descriptor_ >= 0, "a socket");
  const sockaddr_in address = loopback(port);
  check(::connect(socket.descriptor_, reinterpret_cast<const sockaddr*>(&address),
                  sizeof(address)) == 0,
        "connecting to rank 0");
  send_small_messages_at_once(socket.descriptor_);
  return socket;
}

Socket Socket::accept(int64_t seconds) const {
  pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(seconds * 1000));
  require(ready != 0, kHccl, rule::kConnection, "a rank did not connect in {} s", seconds);
  check(ready > 0, "waiting for a rank");
  Socket socket(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
  check(socket.descriptor_ >= 0, "accepting a rank");
  send_small_messages_at_once(socket.descriptor_);
  return socket;
}

void Socket::send(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    check(sent > 0, "sending to another rank");
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

void Socket::receive(std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t received = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    check(received >= 0, "receiving from another rank");
    require(received > 0, kHccl, rule::kConnection, "another rank ended its connection");
    bytes = bytes.subspan(static_cast<size_t>(received));
  }
}

void Socket::shut_down() const {
  if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
}

}  // namespace bertha::standin
