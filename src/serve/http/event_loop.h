#pragma once

// One I/O thread's events: sockets, TLS, calls from other threads, and a tick. This interface hides
// the library that waits for sockets (Boost.Asio), so that what uses it compiles fast.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace bertha::serve {

/// A connected socket, or TLS on one. All calls and all callbacks are on the thread of its loop.
/// At most one read and one write are pending. A callback is always called, after close() with a
/// failure, so what it captures lives as long as the operation.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// TLS: agrees on keys. Without TLS `done` is called with true at once.
  virtual void handshake(std::function<void(bool done)> done) = 0;
  /// Reads 1 to into.size() bytes; 0: the client has closed, or an error.
  virtual void read_some(std::span<char> into, std::function<void(size_t bytes)> done) = 0;
  /// Writes both texts, which the stream keeps until then.
  virtual void write(std::string head, std::string body,
                     std::function<void(bool written)> done) = 0;
  /// Sends the end of the stream, behind what is written. Reading goes on.
  virtual void finish_writing(std::function<void()> done) = 0;
  /// Whether the system holds bytes, or the end, that no read has taken yet.
  virtual bool has_pending() = 0;
  /// Ends all operations.
  virtual void close() = 0;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs events on this thread until stop() was called and nothing is pending. `tick` is called
  /// each `period`.
  void run(std::chrono::milliseconds period, const std::function<void()>& tick);
  void stop();
  /// Calls `work` on the loop's thread, from any thread.
  void post(std::function<void()> work);
  /// As post(), but at once if this is the loop's thread.
  void dispatch(std::function<void()> work);
  /// Calls `work` at this time, on the loop's thread, unless the loop ends before.
  void call_at(std::chrono::steady_clock::time_point time, std::function<void()> work);
  /// Connects to a numeric address or a name; null: it could not. On the loop's thread.
  void connect(const std::string& host, uint16_t port,
               std::function<void(std::unique_ptr<ByteStream>)> done);

  class Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// A certificate and its key. Copies of a connection keep the one they began with.
class TlsContext {
 public:
  /// Throws Error that names the file. TLS 1.2 or later.
  TlsContext(const std::string& cert_file, const std::string& key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  class Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// A socket that listens.
class Listener {
 public:
  /// Binds a TCP address; port 0: the system chooses. Throws Error.
  static std::unique_ptr<Listener> tcp(EventLoop& loop, const std::string& host, uint16_t port);
  /// Binds a unix socket. A file that an ended server left is replaced; one in use is an error.
  static std::unique_ptr<Listener> unix_socket(EventLoop& loop, const std::string& path, int mode);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  struct Accepted {
    std::unique_ptr<ByteStream> stream;  ///< null: none was accepted
    std::string peer;
    bool out_of_descriptors = false;
  };
  /// The certificate of a connection; null: plain.
  using ChooseTls = std::function<std::shared_ptr<TlsContext>()>;
  /// Accepts one connection, whose events run in `into`. `tls` is called when it is there. `done`
  /// is called on the listener's loop; never after close().
  void accept(EventLoop& into, ChooseTls tls, std::function<void(Accepted)> done);
  /// With no descriptor left: takes one connection by a spare one, writes `answer` and closes it,
  /// so that the kernel's queue does not stand still. Returns false if none waits. On the
  /// listener's loop.
  bool refuse_one(const std::string& answer);
  /// Whether the kernel holds a connection that is to be accepted. On the listener's loop.
  bool is_awaited() const;
  /// On the listener's loop, or when no loop runs. Removes the file of a unix socket.
  void close();

  uint16_t port() const;
  /// "127.0.0.1:8080", "[::1]:8080" or the path.
  const std::string& name() const;

 private:
  class Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bertha::serve
