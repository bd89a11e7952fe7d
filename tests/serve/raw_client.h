#pragma once

// A client of bytes: it sends what no HTTP library would, and reads answers without one.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "serve/http/http_message.h"

namespace bertha::test {

struct RawAnswer {
  int status = 0;  ///< 0: no complete answer arrived
  serve::HttpHeaders headers;
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  explicit RawClient(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  bool connected() const { return connected_; }
  int descriptor() const { return socket_; }

  /// Returns false if the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  /// The next answer on the connection; interim ones (100) are answers too. `head_only`: of HEAD.
  RawAnswer read(bool head_only = false) {
    RawAnswer answer;
    size_t end = 0;
    while ((end = bytes_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return answer;
    }
    const size_t body = parse_head(bytes_.substr(0, end + 2), answer);
    bytes_.erase(0, end + 4);
    if (head_only) return answer;
    while (bytes_.size() < body) {
      if (!receive()) return {};
    }
    answer.body = bytes_.substr(0, body);
    bytes_.erase(0, body);
    return answer;
  }

  RawAnswer ask(std::string_view request) {
    send(request);
    return read();
  }

  /// Whether the server closes the connection within `limit`, after bytes that are dropped.
  bool closes(std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      if (receive(std::chrono::milliseconds(50))) continue;
      if (closed_) return true;
    }
    return false;
  }

  void finish_writing() const { ::shutdown(socket_, SHUT_WR); }
  /// Ends the connection with a reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  /// Returns the length of the body.
  static size_t parse_head(std::string_view head, RawAnswer& answer) {
    answer.status = std::stoi(std::string(head.substr(9, 3)));
    head.remove_prefix(head.find("\r\n") + 2);
    while (!head.empty()) {
      const size_t end = head.find("\r\n");
      const std::string_view line = head.substr(0, end);
      const size_t colon = line.find(": ");
      answer.headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
      head.remove_prefix(end + 2);
    }
    const std::string* length = answer.headers.find("Content-Length");
    return length == nullptr ? 0 : std::stoul(*length);
  }

  bool receive(std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return false;
    char buffer[16384];
    const ssize_t received = ::recv(socket_, buffer, sizeof buffer, 0);
    closed_ = received <= 0;
    if (received > 0) bytes_.append(buffer, static_cast<size_t>(received));
    return received > 0;
  }

  int socket_;
  bool connected_ = false;
  bool closed_ = false;
  std::string bytes_;
};

/// A POST with a body and a correct length.
inline std::string post(std::string_view path, std::string_view body,
                        std::string_view more_fields = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), more_fields, body);
}

inline std::string get(std::string_view path, std::string_view more_fields = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n{}\r\n", path, more_fields);
}

}  // namespace bertha::test
