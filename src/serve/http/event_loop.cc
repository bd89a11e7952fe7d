#include "serve/http/event_loop.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <filesystem>
#include <unordered_set>

#include "core/error.h"

namespace bertha::serve {
namespace {

namespace asio = boost::asio;
using asio::generic::stream_protocol;
using boost::system::error_code;

constexpr int kQueue = 1024;  // connections that wait in the kernel, as net.core.somaxconn allows

bool is_readable(int socket) {
  pollfd watched{socket, POLLIN, 0};
  return ::poll(&watched, 1, 0) == 1 && (watched.revents & POLLIN) != 0;
}

/// What plain and TLS streams share: an operation's buffers live in its handler.
template <typename Stream>
class AsioStream : public ByteStream {
 public:
  template <typename... Args>
  explicit AsioStream(Args&&... args) : stream_(std::forward<Args>(args)...) {}

  void read_some(std::span<char> into, std::function<void(size_t)> done) override {
    stream_.async_read_some(
        asio::buffer(into.data(), into.size()),
        [done = std::move(done)](error_code error, size_t bytes) { done(error ? 0 : bytes); });
  }

  void write(std::string head, std::string body, std::function<void(bool)> done) override {
    auto texts =
        std::make_unique<std::array<std::string, 2>>(std::array{std::move(head), std::move(body)});
    const std::array buffers = {asio::buffer(std::as_const((*texts)[0])),
                                asio::buffer(std::as_const((*texts)[1]))};
    asio::async_write(stream_, buffers,
                      [texts = std::move(texts), done = std::move(done)](
                          error_code error, size_t /*bytes*/) { done(!error); });
  }

  bool has_pending() override { return is_readable(stream_.lowest_layer().native_handle()); }

  void close() override {
    error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

 protected:
  Stream stream_;
};

class PlainStream : public AsioStream<stream_protocol::socket> {
 public:
  using AsioStream::AsioStream;

  void handshake(std::function<void(bool)> done) override { done(true); }

  void finish_writing(std::function<void()> done) override {
    error_code ignored;
    stream_.shutdown(stream_protocol::socket::shutdown_send, ignored);
    done();
  }
};

class TlsStream : public AsioStream<asio::ssl::stream<stream_protocol::socket>> {
 public:
  TlsStream(stream_protocol::socket socket, std::shared_ptr<TlsContext> context,
            asio::ssl::context& settings)
      : AsioStream(std::move(socket), settings), context_(std::move(context)) {}

  void handshake(std::function<void(bool)> done) override {
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [done = std::move(done)](error_code error) { done(!error); });
  }

  void finish_writing(std::function<void()> done) override {
    // A read may be pending: the library lets the two take turns.
    stream_.async_shutdown([done = std::move(done)](error_code /*error*/) { done(); });
  }

 private:
  std::shared_ptr<TlsContext> context_;
};

}  // namespace

class EventLoop::Impl {
 public:
  asio::io_context context{1};
  asio::steady_timer timer{context};

  bool stopping = false;
  /// Until each is connected or has failed.
  std::unordered_set<std::shared_ptr<stream_protocol::socket>> connecting;

  void arm(std::chrono::milliseconds period, const std::function<void()>& tick) {
    if (stopping) return;
    timer.expires_after(period);
    timer.async_wait([this, period, tick](error_code error) {
      if (error) return;
      tick();
      arm(period, tick);
    });
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run(std::chrono::milliseconds period, const std::function<void()>& tick) {
  impl_->arm(period, tick);
  impl_->context.run();
}

void EventLoop::stop() {
  // Operations that were closed still call back: what they hold is freed there.
  post([this] {
    impl_->stopping = true;
    impl_->timer.cancel();
    // The system tries for minutes to reach a host that does not answer.
    for (const auto& socket : impl_->connecting) {
      error_code ignored;
      socket->close(ignored);
    }
  });
}

void EventLoop::post(std::function<void()> work) {
  asio::post(impl_->context, std::move(work));
}
void EventLoop::dispatch(std::function<void()> work) {
  asio::dispatch(impl_->context, std::move(work));
}

void EventLoop::call_at(std::chrono::steady_clock::time_point time, std::function<void()> work) {
  auto timer = std::make_shared<asio::steady_timer>(impl_->context, time);
  timer->async_wait([this, timer, work = std::move(work)](error_code error) {
    if (!error && !impl_->stopping) work();
  });
}

void EventLoop::connect(const std::string& host, uint16_t port,
                        std::function<void(std::unique_ptr<ByteStream>)> done) {
  asio::ip::tcp::resolver resolver(impl_->context);
  error_code error;
  const auto found =
      resolver.resolve(host, std::to_string(port), asio::ip::resolver_base::numeric_service, error);
  if (error || found.empty()) return post([done = std::move(done)] { done(nullptr); });
  const stream_protocol::endpoint endpoint(found.begin()->endpoint());
  auto socket = std::make_shared<stream_protocol::socket>(impl_->context);
  impl_->connecting.insert(socket);
  socket->async_connect(endpoint, [this, socket, done = std::move(done)](error_code failed) {
    impl_->connecting.erase(socket);
    if (failed) return done(nullptr);
    error_code ignored;
    socket->set_option(asio::ip::tcp::no_delay(true), ignored);
    done(std::make_unique<PlainStream>(std::move(*socket)));
  });
}

class TlsContext::Impl {
 public:
  asio::ssl::context context{asio::ssl::context::tls_server};
};

TlsContext::TlsContext(const std::string& cert_file, const std::string& key_file)
    : impl_(std::make_unique<Impl>()) {
  asio::ssl::context& context = impl_->context;
  error_code error;
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  // An encrypted key would ask at the terminal.
  SSL_CTX_set_default_passwd_cb(context.native_handle(), [](char*, int, int, void*) { return 0; });
  context.use_certificate_chain_file(cert_file, error);
  if (error) fail("{}: expected a certificate chain as PEM: {}", cert_file, error.message());
  context.use_private_key_file(key_file, asio::ssl::context::pem, error);
  if (error) fail("{}: expected a private key as PEM: {}", key_file, error.message());
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    fail("{}: the key does not belong to the certificate of {}", key_file, cert_file);
  }
}

TlsContext::~TlsContext() = default;

class Listener::Impl {
 public:
  explicit Impl(EventLoop& loop) : acceptor(loop.impl().context) { open_spare(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (spare >= 0) ::close(spare);
  }

  void open_spare() { spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

  void listen(const stream_protocol::endpoint& endpoint) {
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen(kQueue);
    acceptor.non_blocking(true);
  }

  asio::basic_socket_acceptor<stream_protocol> acceptor;
  std::string name;
  std::string path;  ///< of a unix socket
  uint16_t port = 0;
  int spare = -1;  ///< a descriptor to give up when there is none left
};

namespace {

asio::ip::tcp::endpoint resolve(asio::io_context& context, const std::string& host, uint16_t port) {
  asio::ip::tcp::resolver resolver(context);
  error_code error;
  const auto found = resolver.resolve(
      host, std::to_string(port),
      asio::ip::resolver_base::passive | asio::ip::resolver_base::numeric_service, error);
  if (error || found.empty()) fail("--host {}: {}", host, error.message());
  return found.begin()->endpoint();
}

std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

/// The TCP endpoint that a generic one holds.
asio::ip::tcp::endpoint tcp_endpoint(const stream_protocol::endpoint& generic) {
  asio::ip::tcp::endpoint endpoint;
  endpoint.resize(std::min(generic.size(), endpoint.capacity()));
  std::memcpy(endpoint.data(), generic.data(), endpoint.size());
  return endpoint;
}

bool somebody_listens(asio::io_context& context, const std::string& path) {
  asio::local::stream_protocol::socket probe(context);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  return !error;
}

/// Removes the socket of a server that has ended.
void remove_stale(asio::io_context& context, const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return;
  if (status.type() != std::filesystem::file_type::socket) {
    fail("{}: there is a file that is no socket; expected a free path", path);
  }
  if (somebody_listens(context, path)) fail("{}: another server listens on this socket", path);
  std::filesystem::remove(path, error);
}

std::string peer_of(const stream_protocol::socket& socket, bool unix_socket) {
  if (unix_socket) return "unix";
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? std::string("unknown") : tcp_endpoint(endpoint).address().to_string();
}

}  // namespace

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::unique_ptr<Listener> Listener::tcp(EventLoop& loop, const std::string& host, uint16_t port) {
  auto impl = std::make_unique<Impl>(loop);
  const asio::ip::tcp::endpoint endpoint = resolve(loop.impl().context, host, port);
  try {
    impl->listen(endpoint);
  } catch (const boost::system::system_error& error) {
    fail("cannot listen on {}: {}", text_of(endpoint), error.code().message());
  }
  const asio::ip::tcp::endpoint bound = tcp_endpoint(impl->acceptor.local_endpoint());
  impl->port = bound.port();
  impl->name = text_of(bound);
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

std::unique_ptr<Listener> Listener::unix_socket(EventLoop& loop, const std::string& path,
                                                int mode) {
  auto impl = std::make_unique<Impl>(loop);
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    fail("{}: the path of a unix socket must be shorter than {} bytes", path,
         sizeof(sockaddr_un::sun_path));
  }
  remove_stale(loop.impl().context, path);
  // Nobody may connect before the mode is set.
  const mode_t before = umask(0177);
  try {
    impl->listen(asio::local::stream_protocol::endpoint(path));
  } catch (const boost::system::system_error& error) {
    umask(before);
    fail("cannot listen on {}: {}", path, error.code().message());
  }
  umask(before);
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
    fail("{}: cannot set the permissions {:o}", path, mode);
  }
  impl->path = path;
  impl->name = path;
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::~Listener() {
  close();
}

void Listener::accept(EventLoop& into, ChooseTls tls, std::function<void(Accepted)> done) {
  impl_->acceptor.async_accept(
      into.impl().context, [this, tls = std::move(tls), done = std::move(done)](
                               error_code error, stream_protocol::socket socket) {
        if (error == asio::error::operation_aborted) return;
        Accepted accepted;
        accepted.out_of_descriptors = error == asio::error::no_descriptors ||
                                      error.value() == ENFILE || error.value() == ENOBUFS ||
                                      error.value() == ENOMEM;
        if (!error) {
          accepted.peer = peer_of(socket, !impl_->path.empty());
          error_code ignored;
          if (impl_->path.empty()) socket.set_option(asio::ip::tcp::no_delay(true), ignored);
          if (const std::shared_ptr<TlsContext> context = tls()) {
            accepted.stream =
                std::make_unique<TlsStream>(std::move(socket), context, context->impl().context);
          } else {
            accepted.stream = std::make_unique<PlainStream>(std::move(socket));
          }
        }
        done(std::move(accepted));
      });
}

bool Listener::refuse_one(const std::string& answer) {
  if (impl_->spare >= 0) ::close(impl_->spare);
  const int socket =
      ::accept4(impl_->acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket >= 0) {
    static_cast<void>(::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL));
    ::close(socket);
  }
  impl_->open_spare();
  return socket >= 0;
}

bool Listener::is_awaited() const {
  return is_readable(impl_->acceptor.native_handle());
}

void Listener::close() {
  if (!impl_->acceptor.is_open()) return;
  error_code ignored;
  impl_->acceptor.close(ignored);
  if (!impl_->path.empty()) ::unlink(impl_->path.c_str());
}

uint16_t Listener::port() const {
  return impl_->port;
}
const std::string& Listener::name() const {
  return impl_->name;
}

}  // namespace bertha::serve
