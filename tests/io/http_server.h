#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace bertha::test {

/// A server on 127.0.0.1 that answers request i with the exact bytes that the i-th entry of its
/// script returns, and then closes the connection. The last entry answers all further requests.
class Server {
 public:
  using Script = std::function<std::string(const std::string& request)>;

  explicit Server(std::vector<Script> script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url(const std::string& path = "/file") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) continue;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string request;
    std::array<char, 4096> block{};
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(connection, block.data(), block.size(), 0);
      if (count <= 0) return;
      request.append(block.data(), static_cast<size_t>(count));
    }
    size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = std::min(requests_.size(), script_.size() - 1);
      requests_.push_back(request);
    }
    std::string reply = script_[number](request);
    const bool hold = reply.ends_with(kHold);
    if (hold) reply.resize(reply.size() - kHold.size());
    size_t sent = 0;
    while (sent < reply.size()) {
      const ssize_t count =
          ::send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<size_t>(count);
    }
    if (hold) {
      while (!stopping_ && ::recv(connection, block.data(), block.size(), 0) > 0) {
      }
    }
  }

 public:
  /// At the end of an answer: the connection stays open, and no more bytes are sent.
  static constexpr std::string_view kHold = "<hold>";

 private:
  std::vector<Script> script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace bertha::test
