#include "serve/http/http_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"
#include "raw_client.h"
#include "serve/http/access_log.h"
#include "serve/metrics.h"
#include "support/files.h"

namespace bertha::serve {
namespace {

using namespace std::chrono_literals;
using test::get;
using test::post;
using test::RawAnswer;
using test::RawClient;

/// Routes: /echo gives the body back; /hold waits for release(); /drop, /throw, /late as named.
class EchoServer {
 public:
  explicit EchoServer(HttpServerOptions options = {}) {
    options.host = "127.0.0.1";
    options.port = 0;
    options.metrics = &metrics;
    options.access_log = [this](const AccessRecord& record) {
      const std::lock_guard lock(mutex_);
      records_.push_back(record);
    };
    server = std::make_unique<HttpServer>(std::move(options),
                                          [this](HttpRequest request, const Respond& respond) {
                                            handle(std::move(request), respond);
                                          });
    server->start();
  }
  ~EchoServer() {
    release();
    server->stop(0ms);
    for (std::thread& thread : threads_) thread.join();
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  void release() {
    const std::lock_guard lock(mutex_);
    for (auto& [request, respond] : held_) respond(echo(request));
    held_.clear();
  }
  size_t held() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  /// Whether the client of the first held request has gone.
  bool held_is_cancelled() const {
    const std::lock_guard lock(mutex_);
    return *held_.front().first.cancelled;
  }
  std::vector<AccessRecord> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }

  Metrics metrics;
  std::unique_ptr<HttpServer> server;

 private:
  static HttpResponse echo(const HttpRequest& request) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = request.method + " " + request.path + " " + request.body;
    for (const auto& [name, value] : request.query) response.body += name + "=" + value + ";";
    response.summary.route = "/echo";
    return response;
  }

  void handle(HttpRequest request, const Respond& respond) {
    if (request.path == "/drop") return;
    if (request.path == "/throw") throw Error("thrown on purpose");
    if (request.path == "/big") {
      HttpResponse big;
      big.body.assign(6 << 20, 'x');
      return respond(std::move(big));
    }
    if (request.path == "/twice") {
      respond(echo(request));
      return respond(HttpResponse{.status = 404});
    }
    if (request.path == "/late") {
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([request, respond] {
        std::this_thread::sleep_for(20ms);
        respond(echo(request));
      });
      return;
    }
    if (request.path == "/hold") {
      const std::lock_guard lock(mutex_);
      held_.emplace_back(std::move(request), respond);
      return;
    }
    respond(echo(request));
  }

  mutable std::mutex mutex_;
  std::deque<std::pair<HttpRequest, Respond>> held_;
  std::vector<AccessRecord> records_;
  std::vector<std::thread> threads_;
};

template <typename Condition>
bool eventually(const Condition& condition, std::chrono::milliseconds limit = 5s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(2ms);
  return condition();
}

/// Limits so short that a test sees them.
HttpServerOptions impatient() {
  HttpServerOptions options;
  options.limits.header = 300ms;
  options.limits.transfer = 300ms;
  options.limits.idle = 600ms;
  options.limits.linger = 200ms;
  options.limits.bytes_per_second = 1 << 20;
  return options;
}

TEST(HttpServer, AnswersCarryLengthDateAndId) {
  EchoServer server;
  RawClient client(server.server->port());
  const RawAnswer answer = client.ask(post("/echo?a=b%20c", "hello", "X-Request-Id: id-7\r\n"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "POST /echo helloa=b c;");
  EXPECT_EQ(answer.headers.get("X-Request-Id"), "id-7");
  EXPECT_EQ(answer.headers.get("Content-Type"), "text/plain");
  EXPECT_EQ(answer.headers.get("Date").size(), 29);
  EXPECT_EQ(answer.headers.find("Connection"), nullptr);
}

TEST(HttpServer, AnIdIsMadeWhereTheClientsIsMissingOrUnsafe) {
  EchoServer server;
  RawClient client(server.server->port());
  EXPECT_EQ(client.ask(get("/echo")).headers.get("X-Request-Id").size(), 32);
  const std::string spaced = get("/echo", "X-Request-Id: a b\r\n");
  EXPECT_EQ(client.ask(spaced).headers.get("X-Request-Id").size(), 32);
  const std::string lengthy = get("/echo", "X-Request-Id: " + std::string(129, 'a') + "\r\n");
  EXPECT_EQ(client.ask(lengthy).headers.get("X-Request-Id").size(), 32);
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  EchoServer server;
  RawClient client(server.server->port());
  client.send(post("/late", "1") + post("/echo", "2") + get("/late") + post("/echo", "4"));
  EXPECT_EQ(client.read().body, "POST /late 1");
  EXPECT_EQ(client.read().body, "POST /echo 2");
  EXPECT_EQ(client.read().body, "GET /late ");
  EXPECT_EQ(client.read().body, "POST /echo 4");
}

TEST(HttpServer, PipelinedRequestsBeyondTheReadAheadAreAnswered) {
  HttpServerOptions options;
  options.limits.read_ahead_bytes = 4096;
  EchoServer server(options);
  RawClient client(server.server->port());
  std::thread sender([&] {
    for (int i = 0; i < 300; ++i) client.send(post("/echo", std::string(1000, 'a')));
  });
  for (int i = 0; i < 300; ++i) ASSERT_EQ(client.read().status, 200) << i;
  sender.join();
}

TEST(HttpServer, HeadHasTheLengthAndNoBody) {
  EchoServer server;
  RawClient client(server.server->port());
  client.send("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n" + get("/echo"));
  EXPECT_EQ(client.read(true).headers.get("Content-Length"), "10");
  EXPECT_EQ(client.read().body, "GET /echo ");
}

TEST(HttpServer, Http10ClosesAfterTheAnswer) {
  EchoServer server;
  RawClient client(server.server->port());
  const RawAnswer answer = client.ask("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("Connection"), "close");
  EXPECT_TRUE(client.closes());
}

TEST(HttpServer, Http10MayKeepTheConnection) {
  EchoServer server;
  RawClient client(server.server->port());
  const std::string request = "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(client.ask(request).headers.get("Connection"), "keep-alive");
  EXPECT_EQ(client.ask(request).status, 200);
}

TEST(HttpServer, ContinueIsSentBeforeTheBody) {
  EchoServer server;
  RawClient client(server.server->port());
  const RawAnswer interim = client.ask(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(interim.status, 100);
  EXPECT_EQ(client.ask("hello").body, "POST /echo hello");
}

TEST(HttpServer, ContinueIsNotSentWhenTheBodyIsTooLong) {
  EchoServer server;
  RawClient client(server.server->port());
  const RawAnswer answer = client.ask(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2000001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(answer.status, 413);
  EXPECT_TRUE(client.closes());
}

TEST(HttpServer, TheRefusalArrivesWhileTheClientIsStillSending) {
  EchoServer server;
  RawClient client(server.server->port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
  client.send(std::string(40000, 'a'));
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.headers.get("Connection"), "close");
}

TEST(HttpServer, MalformedRequestsGetAnAnswerAndTheEnd) {
  EchoServer server;
  RawClient client(server.server->port());
  const RawAnswer answer = client.ask("GET / HTTP/1.1\r\n\r\n" + get("/echo"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("Host"), std::string::npos);
  EXPECT_TRUE(client.closes());
  EXPECT_EQ(server.metrics.counter("bertha_http_refused_total", "", {{"code", "400"}}).value(), 1);
}

TEST(HttpServer, AHandlerThatDropsOrThrowsAnswers500) {
  EchoServer server;
  RawClient client(server.server->port());
  EXPECT_EQ(client.ask(get("/drop")).status, 500);
  const RawAnswer thrown = client.ask(get("/throw"));
  EXPECT_EQ(thrown.status, 500);
  EXPECT_EQ(thrown.body.find("purpose"), std::string::npos);
  EXPECT_EQ(client.ask(get("/echo")).status, 200);
}

TEST(HttpServer, ASecondAnswerToARequestIsIgnored) {
  EchoServer server;
  RawClient client(server.server->port());
  EXPECT_EQ(client.ask(get("/twice")).status, 200);
  EXPECT_EQ(client.ask(get("/echo")).body, "GET /echo ");
}

TEST(HttpServer, AFieldOfAnAnswerCannotEndItsLine) {
  HttpServer server({.port = 0}, [](const HttpRequest&, const Respond& respond) {
    HttpResponse response;
    response.headers.add("X-Model", "a\r\nX-Evil: b\n\nc");
    respond(std::move(response));
  });
  server.start();
  RawClient client(server.port());
  const RawAnswer answer = client.ask(get("/"));
  EXPECT_EQ(answer.headers.get("X-Model"), "aX-Evil: bc");
  EXPECT_EQ(answer.headers.find("X-Evil"), nullptr);
}

TEST(HttpServer, AClientThatGoesCancelsItsRequest) {
  EchoServer server;
  RawClient client(server.server->port());
  client.send(post("/hold", "a"));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  EXPECT_FALSE(server.held_is_cancelled());
  client.close();
  EXPECT_TRUE(eventually([&] { return server.held_is_cancelled(); }));
  EXPECT_TRUE(eventually([&] { return server.server->requests_in_progress() == 0; }));
  EXPECT_EQ(server.server->connections(), 0);
  server.release();
  EXPECT_EQ(server.records().back().status, 499);
}

TEST(HttpServer, AResetCancelsToo) {
  EchoServer server;
  RawClient client(server.server->port());
  client.send(post("/hold", "a"));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  client.reset();
  EXPECT_TRUE(eventually([&] { return server.held_is_cancelled(); }));
}

TEST(HttpServer, ASlowHeaderGets408) {
  EchoServer server(impatient());
  RawClient client(server.server->port());
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<bool> done = false;
  std::thread drip([&] {
    const std::string request = get("/echo", "X: " + std::string(200, 'a') + "\r\n");
    for (size_t i = 0; i < request.size() && !done; ++i) {
      if (!client.send(request.substr(i, 1))) break;
      std::this_thread::sleep_for(20ms);
    }
  });
  EXPECT_EQ(client.read().status, 408);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1300ms);
  done = true;
  drip.join();
}

TEST(HttpServer, ASlowBodyGets408) {
  EchoServer server(impatient());
  for (const char* field : {"Content-Length: 1000", "Transfer-Encoding: chunked"}) {
    RawClient client(server.server->port());
    client.send(fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", field));
    client.send("5\r\nabc");
    EXPECT_EQ(client.read().status, 408) << field;
    EXPECT_TRUE(client.closes()) << field;
  }
}

TEST(HttpServer, ASilentConnectionIsClosedWithoutAnAnswer) {
  EchoServer server(impatient());
  RawClient client(server.server->port());
  EXPECT_TRUE(client.closes(1500ms));
}

TEST(HttpServer, AnIdleConnectionIsClosed) {
  EchoServer server(impatient());
  RawClient client(server.server->port());
  EXPECT_EQ(client.ask(get("/echo")).status, 200);
  std::this_thread::sleep_for(400ms);
  EXPECT_EQ(client.ask(get("/echo")).status, 200);
  EXPECT_TRUE(client.closes(1500ms));
}

TEST(HttpServer, AStalledReaderIsClosed) {
  HttpServerOptions options = impatient();
  options.limits.bytes_per_second = 8 << 20;
  EchoServer server(options);
  RawClient client(server.server->port());
  client.send(get("/big"));
  EXPECT_TRUE(eventually([&] { return server.server->requests_in_progress() == 1; }));
  EXPECT_TRUE(eventually([&] { return server.server->connections() == 0; }, 3s));
  EXPECT_EQ(server.records().back().status, 499);
}

TEST(HttpServer, ManySlowClientsCostNothing) {
  HttpServerOptions options = impatient();
  options.limits.header = 3000ms;
  EchoServer server(options);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<RawClient>(server.server->port()));
    slow.back()->send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  }
  const auto begin = std::chrono::steady_clock::now();
  RawClient quick(server.server->port());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(quick.ask(get("/echo")).status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_TRUE(eventually([&] { return server.server->connections() <= 1; }, 6s));
}

TEST(HttpServer, ConnectionsAboveTheLimitWait) {
  HttpServerOptions options;
  options.limits.connections = 2;
  EchoServer server(options);
  RawClient first(server.server->port());
  RawClient second(server.server->port());
  EXPECT_EQ(first.ask(get("/echo")).status, 200);
  EXPECT_EQ(second.ask(get("/echo")).status, 200);
  RawClient third(server.server->port());
  third.send(get("/echo"));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(server.server->connections(), 2);
  first.close();
  EXPECT_EQ(third.read().status, 200);
}

TEST(HttpServer, AnIdleConnectionMakesRoomForOneThatWaits) {
  HttpServerOptions options;
  options.limits.connections = 2;
  EchoServer server(options);
  RawClient idle(server.server->port());
  EXPECT_EQ(idle.ask(get("/echo")).status, 200);
  RawClient busy(server.server->port());
  busy.send(post("/hold", "a"));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(server.server->connections(), 2);  // nobody waits
  RawClient third(server.server->port());
  EXPECT_EQ(third.ask(get("/echo")).status, 200);
  EXPECT_TRUE(idle.closes());
  server.release();
  EXPECT_EQ(busy.read().status, 200);
}

TEST(HttpServer, BodiesInMemoryAreBounded) {
  HttpServerOptions options;
  options.limits.total_body_bytes = 1000;
  EchoServer server(options);
  RawClient first(server.server->port());
  first.send(post("/hold", std::string(800, 'a')));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  RawClient second(server.server->port());
  const RawAnswer answer = second.ask(post("/echo", std::string(300, 'a')));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.get("Retry-After"), "1");
  server.release();
  EXPECT_EQ(first.read().status, 200);
  RawClient third(server.server->port());
  EXPECT_EQ(third.ask(post("/echo", std::string(300, 'a'))).status, 200);
}

TEST(HttpServer, AnOriginNeedsPermission) {
  HttpServerOptions options;
  options.cors_origins = {"https://a.example"};
  EchoServer server(options);
  RawClient client(server.server->port());
  const RawAnswer allowed = client.ask(get("/echo", "Origin: https://a.example\r\n"));
  EXPECT_EQ(allowed.headers.get("Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(allowed.headers.get("Vary"), "Origin");
  const RawAnswer other = client.ask(get("/echo", "Origin: https://b.example\r\n"));
  EXPECT_EQ(other.headers.find("Access-Control-Allow-Origin"), nullptr);
  const RawAnswer preflight = client.ask(
      "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n"
      "Access-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization,content-type\r\n\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.get("Access-Control-Allow-Headers"), "authorization,content-type");
  EXPECT_EQ(preflight.headers.find("Content-Length"), nullptr);
}

TEST(HttpServer, WithoutPermissionNoOriginIsNamed) {
  EchoServer server;
  RawClient client(server.server->port());
  const RawAnswer answer = client.ask(get("/echo", "Origin: https://a.example\r\n"));
  EXPECT_EQ(answer.headers.find("Access-Control-Allow-Origin"), nullptr);
}

TEST(HttpServer, AUnixSocketServesAndLeavesNoFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("socket");
  {
    HttpServer server({.unix_path = path, .unix_mode = 0600},
                      [](const HttpRequest& request, const Respond& respond) {
                        HttpResponse response;
                        response.body = request.peer;
                        respond(std::move(response));
                      });
    server.start();
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600);
    RawClient client(path);
    EXPECT_EQ(client.ask(get("/")).body, "unix");
    EXPECT_THROW(HttpServer({.unix_path = path}, nullptr), Error);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST(HttpServer, TheSocketOfAnEndedServerIsReplaced) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("socket");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(socket);
  EXPECT_NO_THROW(HttpServer({.unix_path = path}, nullptr));
}

TEST(HttpServer, AFileThatIsNoSocketStays) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("file");
  test::write_all(path, "text");
  EXPECT_THROW(HttpServer({.unix_path = path}, nullptr), Error);
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
}

TEST(HttpServer, APortInUseIsAnErrorThatNamesIt) {
  EchoServer server;
  try {
    HttpServer other({.port = server.server->port()}, nullptr);
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(std::to_string(server.server->port())),
              std::string::npos);
  }
}

TEST(HttpServer, StopWaitsForTheRequestInProgress) {
  EchoServer server;
  RawClient busy(server.server->port());
  RawClient idle(server.server->port());
  EXPECT_EQ(idle.ask(get("/echo")).status, 200);
  busy.send(post("/hold", "a"));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  std::thread releaser([&] {
    std::this_thread::sleep_for(100ms);
    server.release();
  });
  std::thread reader([&] {
    const RawAnswer answer = busy.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.get("Connection"), "close");
    busy.close();
  });
  EXPECT_TRUE(server.server->stop(5s));
  EXPECT_TRUE(idle.closes());
  releaser.join();
  reader.join();
}

TEST(HttpServer, StopEndsAfterItsGrace) {
  EchoServer server;
  RawClient client(server.server->port());
  client.send(post("/hold", "a"));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  EXPECT_FALSE(server.server->stop(100ms));
  EXPECT_TRUE(client.closes());
}

TEST(HttpServer, DrainingRefusesNewConnections) {
  EchoServer server;
  server.server->begin_drain();
  EXPECT_TRUE(eventually([&] { return !RawClient(server.server->port()).connected(); }));
}

TEST(HttpServer, ADrainAnswersEachRequestThatHasReachedTheSystem) {
  for (int round = 0; round < 20; ++round) {
    EchoServer server;
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 40; ++i) {
      clients.push_back(std::make_unique<RawClient>(server.server->port()));
      if (i % 2 == 1) continue;
      ASSERT_EQ(clients.back()->ask(get("/echo")).status, 200);
    }
    for (const auto& client : clients) client->send(get("/echo"));
    server.server->begin_drain();
    for (const auto& client : clients) EXPECT_EQ(client->read().status, 200) << round;
  }
}

TEST(HttpServer, AnAnnouncedDrainServesOnAndClosesEachConnection) {
  EchoServer server;
  server.server->announce_drain();
  RawClient client(server.server->port());
  const RawAnswer answer = client.ask(get("/echo"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("Connection"), "close");
  EXPECT_TRUE(RawClient(server.server->port()).connected());
}

TEST(HttpServer, StartAndStopAgainAndAgain) {
  for (int i = 0; i < 50; ++i) {
    EchoServer server;
    RawClient client(server.server->port());
    client.send(get(i % 2 == 0 ? "/late" : "/hold"));
    if (i % 3 != 0) continue;
    EXPECT_TRUE(eventually([&] { return server.server->connections() == 1; }));
  }
}

TEST(HttpServer, SeveralThreadsServeManyClients) {
  HttpServerOptions options;
  options.io_threads = 3;
  EchoServer server(options);
  std::vector<std::thread> clients;
  std::atomic<int> served = 0;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back([&, i] {
      RawClient client(server.server->port());
      for (int k = 0; k < 25; ++k) {
        const std::string body = fmt::format("{}-{}", i, k);
        served += client.ask(post("/echo", body)).body == "POST /echo " + body ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 1600);
  // An answer is counted after its last byte is written, so a client may have it earlier.
  const Counter& counted =
      server.metrics.counter("bertha_requests_total", "", {{"route", "/echo"}, {"code", "200"}});
  EXPECT_TRUE(eventually([&] { return counted.value() == 1600; })) << counted.value();
}

TEST(HttpServer, WithoutDescriptorsClientsGet503) {
  EchoServer server;
  RawClient before(server.server->port());
  EXPECT_EQ(before.ask(get("/echo")).status, 200);
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  const rlimit low{static_cast<rlim_t>(client) + 1, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.server->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  char buffer[64] = {};
  EXPECT_GT(recv(client, buffer, sizeof buffer - 1, 0), 0);
  EXPECT_EQ(std::string(buffer).substr(0, 12), "HTTP/1.1 503");
  EXPECT_EQ(before.ask(get("/echo")).status, 200);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  ::close(client);
  RawClient after(server.server->port());
  EXPECT_EQ(after.ask(get("/echo")).status, 200);
}

}  // namespace
}  // namespace bertha::serve
