// What the program leaves when a defect ends it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "cli/program.h"
#include "support/files.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

/// The test's own folder is the current one while a program starts.
class CrashReport : public testing::Test {
 protected:
  CrashReport() : before_(fs::current_path()) { fs::current_path(folder_.path()); }
  ~CrashReport() override { fs::current_path(before_); }

  /// Ends `bertha tokenize`, which waits for its standard input, by a signal.
  test::Outcome end_by(int number) {
    EXPECT_EQ(::mkfifo("input", 0600), 0);
    const pid_t child = test::start_program(
        {"tokenize", "--vocab_file", test::tests_path("text/fixtures/vocab.txt"),
         "--input=" + (folder_.path() / "input").string(), "--log-level=debug"},
        "stdout", "stderr");
    // This succeeds when the program opens the pipe to read.
    int writer = -1;
    while ((writer = ::open("input", O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ::kill(child, number);
    const test::Outcome outcome = test::wait_for_program(child, "stdout", "stderr");
    ::close(writer);
    return outcome;
  }
  static std::string report() {
    for (const auto& entry : fs::directory_iterator(".")) {
      if (entry.path().filename().string().starts_with("bertha-crash-")) {
        return test::read_all(entry.path());
      }
    }
    return "";
  }

 private:
  test::TemporaryFolder folder_;
  fs::path before_;
};

TEST_F(CrashReport, HasVersionCommandSignalAndStackButNoPath) {
  const test::Outcome outcome = end_by(SIGSEGV);
  EXPECT_EQ(outcome.status, 128 + SIGSEGV);
  EXPECT_EQ(outcome.errors(), 1) << outcome.said;
  EXPECT_NE(outcome.said.find("./bertha-crash-"), std::string::npos) << outcome.said;
  const std::string text = report();
  EXPECT_TRUE(text.starts_with("bertha ")) << text;
  for (const char* part :
       {"commit: ", "command: bertha tokenize --vocab_file ... --input=...", "signal: SIGSEGV",
        "last messages", "thread ", "bertha(+0x", "MemTotal"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
  EXPECT_EQ(text.find("fixtures"), std::string::npos) << text;
}

TEST_F(CrashReport, AnAbortLeavesOneToo) {
  EXPECT_EQ(end_by(SIGABRT).status, 128 + SIGABRT);
  EXPECT_NE(report().find("signal: SIGABRT"), std::string::npos);
}

}  // namespace
}  // namespace bertha::cli
