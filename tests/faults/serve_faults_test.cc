// `bertha serve` from its start over requests to its end, with each call of the system made to fail
// in turn. A server that cannot start ends with one error line. One that has started answers the
// same request when a client sends it again, reads its keys again or says that the old ones stay,
// and ends well when it is asked to.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "faults/fault_run.h"
#include "infer/tiny_models.h"
#include "serve/raw_client.h"
#include "support/files.h"

namespace bertha::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongestStart = 30s;
constexpr int kTries = 5;
constexpr const char* kFirstKey = "first-key-of-the-server";

struct Answers {
  std::string vectors;
  std::string span;
  bool operator==(const Answers&) const = default;
};

class ServeFaults : public testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(folder() + "/qa", {.question_answering = true},
                     bert::ModelClass::kQuestionAnswering);
    write_tiny_model(folder() + "/vectors", {.pooler = false}, bert::ModelClass::kEncoder);
  }

  std::string folder() const { return folder_.path().string(); }
  std::string keys() const { return folder() + "/keys"; }
  std::vector<std::string> words() const {
    return {"serve",
            "--model",
            "qa=" + folder() + "/qa",
            "--model",
            "vectors=" + folder() + "/vectors",
            "--port=0",
            "--api-key-file=" + keys(),
            "--lanes=1",
            "--io-threads=1",
            "--drain-delay-s=0"};
  }

  /// The port of a server that is ready; 0 when it has ended.
  static uint16_t wait_until_ready(FaultyProgram& program) {
    const auto limit = std::chrono::steady_clock::now() + kLongestStart;
    while (!program.ended() && std::chrono::steady_clock::now() < limit) {
      const std::string said = program.said();
      const size_t at = said.find("127.0.0.1:");
      if (at != std::string::npos && said.find('\n', at) != std::string::npos) {
        const auto port = static_cast<uint16_t>(std::stoi(said.substr(at + 10)));
        if (RawClient(port).ask(get("/health")).status == 200) return port;
      }
      std::this_thread::sleep_for(5ms);
    }
    EXPECT_TRUE(program.ended()) << "neither ready nor ended";
    return 0;
  }

  /// The field of the answer with status 200; a client tries again as clients do. Other fields say
  /// how long it took.
  static std::string answer_to(FaultyProgram& program, uint16_t port, const std::string& request,
                               const char* field) {
    for (int i = 0; i < kTries && !program.ended(); ++i) {
      const RawAnswer answer = RawClient(port).ask(request);
      if (answer.status == 200) return nlohmann::json::parse(answer.body).at(field).dump();
      std::this_thread::sleep_for(10ms);
    }
    return "";
  }
  static Answers ask(FaultyProgram& program, uint16_t port, const char* key) {
    const std::string json =
        fmt::format("Content-Type: application/json\r\nAuthorization: Bearer {}\r\n", key);
    return {
        answer_to(program, port,
                  post("/v1/embeddings", R"({"model":"vectors","input":"the red house"})", json),
                  "data"),
        answer_to(
            program, port,
            post("/v1/answer",
                 R"({"question":"which house?","passage":"the red house on the hill"})", json),
            "answers")};
  }

  /// Replaces the key, and asks the server to read it. Returns the key that holds.
  const char* reload(FaultyProgram& program) const {
    write_all(keys(), "second-key-of-the-server\n");
    program.signal(SIGHUP);
    const auto limit = std::chrono::steady_clock::now() + kLongestStart;
    while (!program.ended() && std::chrono::steady_clock::now() < limit) {
      const std::string said = program.said();
      if (said.find("are read again\n") != std::string::npos) return "second-key-of-the-server";
      if (said.find("the old ones stay\n") != std::string::npos) break;
      std::this_thread::sleep_for(5ms);
    }
    return kFirstKey;
  }

  struct Session {
    FaultyEnd end;
    Answers answers;
    Answers again;  ///< after the keys were read again
    bool was_ready = false;
    bool kept_old = false;  ///< keys, as the new ones could not be read
  };

  Session serve(const Fault& fault, int64_t at) {
    Session session;
    write_all(keys(), kFirstKey + std::string("\n"));
    FaultyProgram program(folder(), words(), fault, at);
    const uint16_t port = wait_until_ready(program);
    session.was_ready = port != 0;
    if (session.was_ready) {
      session.answers = ask(program, port, kFirstKey);
      const char* key = reload(program);
      session.kept_old = key == kFirstKey;
      session.again = ask(program, port, key);
      program.signal(SIGTERM);
    }
    session.end = program.wait();
    return session;
  }

  /// A server without memory may end; it says so.
  static bool ended_for_memory(const FaultyEnd& end) {
    return end.outcome.status == 1 && end.outcome.said.find("out of memory") != std::string::npos;
  }

  /// glibc ends a program itself where it cannot give a thread its variables. It says so.
  static bool ended_by_glibc(const FaultyEnd& end) {
    return end.outcome.said.find("Fatal glibc error: ") != std::string::npos;
  }

  void try_point(const Fault& fault, int64_t at) {
    const Session session = serve(fault, at);
    if (session.end.failed == 0) return;
    const Outcome& outcome = session.end.outcome;
    SCOPED_TRACE(describe("serve", fault, at, session.end));
    ++points_;
    EXPECT_FALSE(session.end.hung);
    if (ended_by_glibc(session.end)) {
      ++refused_;
      return;
    }
    EXPECT_LT(outcome.status, 75) << "a signal";
    if (outcome.said.find("a request ran out of memory") == std::string::npos) {
      // A batch that fails has a line of its own, and the server goes on.
      const bool batch_failed = outcome.said.find("error: a batch failed: ") != std::string::npos;
      const int ended_or_kept = outcome.status != 0 || session.kept_old ? 1 : 0;
      EXPECT_EQ(outcome.errors(), ended_or_kept + (batch_failed ? 1 : 0));
    }
    if (session.was_ready && !ended_for_memory(session.end)) {
      EXPECT_EQ(outcome.status, 0);
      EXPECT_TRUE(session.answers == whole_) << session.answers.vectors << session.answers.span;
      EXPECT_TRUE(session.again == whole_) << session.again.vectors << session.again.span;
      ++unharmed_;
    } else {
      EXPECT_GT(outcome.status, 0);
      ++refused_;
    }
  }

  Answers whole_;
  int64_t points_ = 0;
  int64_t unharmed_ = 0;
  int64_t refused_ = 0;

 private:
  TemporaryFolder folder_;
};

TEST_F(ServeFaults, StartsOrSaysWhyNotAndAnswersAgain) {
  const Session undisturbed = serve({"none", 0}, 0);
  ASSERT_EQ(undisturbed.end.outcome.status, 0) << undisturbed.end.outcome.said;
  whole_ = undisturbed.answers;
  ASSERT_FALSE(undisturbed.kept_old);
  ASSERT_TRUE(undisturbed.again == whole_);
  ASSERT_NE(whole_.vectors, "");
  ASSERT_NE(whole_.span, "");
  const char* only = std::getenv("BERTHA_FAULT_NAME");
  for (const Fault& fault : all_faults()) {
    if (only != nullptr && name_of(fault) != only) continue;
    points_ = unharmed_ = refused_ = 0;
    const int64_t calls = serve(fault, 0).end.calls;
    for (const int64_t at : points_of(calls)) try_point(fault, at);
    add_to_table(fmt::format("serve\t{}\t{}\t{}\t{}\t{}", name_of(fault), calls, points_, unharmed_,
                             refused_));
  }
}

}  // namespace
}  // namespace bertha::test
