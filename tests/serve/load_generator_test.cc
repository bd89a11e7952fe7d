#include "serve/load_generator.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "core/error.h"
#include "serve/http/answer_reader.h"
#include "serve/http/http_server.h"

namespace bertha::serve {
namespace {

using namespace std::chrono_literals;

/// A server that notes the bodies, and takes `delay` for each, one after the other.
class SlowServer {
 public:
  explicit SlowServer(std::chrono::milliseconds delay) : server_({.port = 0}, handler(delay)) {
    server_.start();
  }
  std::string url() const { return server_.address() + "/embed"; }
  std::vector<std::string> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }

 private:
  Handler handler(std::chrono::milliseconds delay) {
    return [this, delay](const HttpRequest& request, const Respond& respond) {
      std::this_thread::sleep_for(delay);
      const std::lock_guard lock(mutex_);
      bodies_.push_back(request.body);
      HttpResponse response;
      response.body = "[]";
      if (request.body == "busy") {
        response.status = 429;
        response.headers.add("Retry-After", "1");
      }
      respond(std::move(response));
    };
  }

  mutable std::mutex mutex_;
  std::vector<std::string> bodies_;
  HttpServer server_;
};

LoadOptions brief(const std::string& url) {
  LoadOptions options;
  options.url = url;
  options.bodies = {"a", "b", "c"};
  options.warm_seconds = 0;
  options.seconds = 0.5;
  return options;
}

TEST(LoadGenerator, TheOpenLoopSendsAtItsRate) {
  const SlowServer server(0ms);
  LoadOptions options = brief(server.url());
  options.rate = 400;
  const LoadReport report = run_load(options);
  EXPECT_NEAR(static_cast<double>(report.scheduled), 200, 60);
  EXPECT_EQ(report.statuses, (std::map<int, int64_t>{{200, report.scheduled}}));
  EXPECT_EQ(report.broken + report.not_connected + report.unanswered, 0);
  EXPECT_EQ(std::ssize(report.answered_ms), report.scheduled);
}

TEST(LoadGenerator, TheSameSeedSendsTheSameRequests) {
  std::vector<std::vector<std::string>> sent;
  for (int i = 0; i < 2; ++i) {
    const SlowServer server(0ms);
    LoadOptions options = brief(server.url());
    options.rate = 200;
    options.connections = 1;
    run_load(options);
    sent.push_back(server.bodies());
  }
  EXPECT_EQ(sent[0], sent[1]);
  EXPECT_GT(sent[0].size(), 50);
}

TEST(LoadGenerator, LatencyCountsFromTheScheduledTime) {
  // 100 requests a second where 20 ms are taken for each: the last of half a second waits for as
  // long again.
  const SlowServer server(20ms);
  LoadOptions options = brief(server.url());
  options.rate = 100;
  const LoadReport report = run_load(options);
  EXPECT_GT(quantile_of(report.answered_ms, 1), 250);
  EXPECT_EQ(std::ssize(report.answered_ms), report.scheduled);
}

TEST(LoadGenerator, TheClosedLoopAsksAgain) {
  const SlowServer server(2ms);
  LoadOptions options = brief(server.url());
  options.connections = 4;
  const LoadReport report = run_load(options);
  EXPECT_GT(report.scheduled, 40);
  EXPECT_LT(report.scheduled, 255);
}

TEST(LoadGenerator, TheClosedLoopWaitsWhereTheServerAsksItTo) {
  const SlowServer server(0ms);
  LoadOptions options = brief(server.url());
  options.connections = 3;
  options.seconds = 1.5;
  options.bodies = {"busy"};
  const LoadReport report = run_load(options);
  EXPECT_EQ(report.scheduled, 6);
  EXPECT_EQ(report.statuses, (std::map<int, int64_t>{{429, 6}}));
}

TEST(LoadGenerator, RefusalsAreCountedApart) {
  const SlowServer server(0ms);
  LoadOptions options = brief(server.url());
  options.rate = 200;
  options.bodies = {"a", "busy"};
  const LoadReport report = run_load(options);
  EXPECT_GT(report.statuses.at(200), 10);
  EXPECT_GT(report.statuses.at(429), 10);
  EXPECT_EQ(std::ssize(report.refused_ms), report.statuses.at(429));
  const auto line = nlohmann::json::parse(load_report_json(options, report));
  EXPECT_EQ(line["statuses"]["429"], report.statuses.at(429));
}

TEST(LoadGenerator, AServerThatIsNotThereIsReported) {
  LoadOptions options = brief("http://127.0.0.1:1/");
  options.rate = 50;
  const LoadReport report = run_load(options);
  EXPECT_EQ(report.not_connected, report.scheduled);
  EXPECT_TRUE(report.statuses.empty());
}

TEST(LoadGenerator, AServerThatAcceptsNobodyIsLeftInTime) {
  // The kernel holds a few connections for such a server, and drops the attempts to make more.
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listening, 1), 0);
  ASSERT_EQ(::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size), 0);
  LoadOptions options = brief(fmt::format("http://127.0.0.1:{}/", ntohs(address.sin_port)));
  options.rate = 200;
  options.timeout_seconds = 0.2;
  const LoadReport report = run_load(options);
  EXPECT_GT(report.scheduled, 20);
  EXPECT_EQ(report.unanswered, report.scheduled);
  ::close(listening);
}

TEST(LoadGenerator, AUrlThatIsNoneIsAnError) {
  for (const char* url :
       {"", "127.0.0.1:80", "https://a/", "http://", "http://a:b/", "http://:80/"}) {
    EXPECT_THROW(run_load(brief(url)), Error) << url;
  }
}

TEST(AnswerReader, AnswersComeOneAfterTheOtherByteByByte) {
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
      "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
  AnswerReader reader;
  std::vector<AnswerReader::Answer> answers;
  for (const char byte : bytes) {
    reader.append({&byte, 1});
    while (auto answer = reader.next()) answers.push_back(*answer);
  }
  ASSERT_EQ(answers.size(), 2);
  EXPECT_EQ(answers[0].status, 200);
  EXPECT_EQ(answers[0].body, "abc");
  EXPECT_TRUE(answers[0].keep_alive);
  EXPECT_EQ(answers[1].status, 204);
  EXPECT_FALSE(answers[1].keep_alive);
}

TEST(AnswerReader, ARetryAfterIsBounded) {
  for (const auto& [field, seconds] : std::vector<std::pair<std::string, int64_t>>{
           {"3", 3}, {"9223372036854775807", 86'400}, {"-1", 0}, {"Wed, 21 Oct 2026", 0}}) {
    AnswerReader reader;
    reader.append("HTTP/1.1 429 Busy\r\nContent-Length: 0\r\nRetry-After: " + field + "\r\n\r\n");
    EXPECT_EQ(reader.next().value().retry_after_s, seconds) << field;
  }
}

TEST(AnswerReader, WhatIsNoAnswerIsAnError) {
  for (const char* bytes : {"hello\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}) {
    AnswerReader reader;
    reader.append(bytes);
    EXPECT_THROW(reader.next(), Error) << bytes;
  }
}

TEST(Quantiles, AreValuesOfTheList) {
  EXPECT_EQ(quantile_of({}, 0.5), 0);
  EXPECT_EQ(quantile_of({1, 2, 3}, 0.5), 2);
  EXPECT_EQ(quantile_of({1, 2, 3}, 0.99), 3);
  EXPECT_EQ(quantile_of({1, 2, 3}, 0), 1);
}

}  // namespace
}  // namespace bertha::serve
