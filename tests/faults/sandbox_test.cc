// `inspect` and `convert` with code in the process that is not theirs (intruder.cc): within the
// sandbox it reaches nothing, and the command does its work.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/program.h"
#include "core/confinement.h"
#include "support/files.h"

namespace bertha::test {
namespace {

class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_confine_files() || !can_confine_calls())
      GTEST_SKIP() << "Landlock or seccomp is missing";
  }

  std::string out() const { return folder_.file("out"); }
  std::string foreign() const { return other_.file("foreign"); }

  Outcome run(const std::vector<std::string>& words) const {
    const std::string standard_output = folder_.file("stdout");
    const std::string standard_error = folder_.file("stderr");
    ::setenv("LD_PRELOAD", BERTHA_INTRUDER, 1);
    ::setenv("BERTHA_INTRUDER_FILE", foreign().c_str(), 1);
    std::fflush(nullptr);  // the child must not write what is buffered here
    const pid_t child = start_program(words, standard_output, standard_error);
    ::unsetenv("LD_PRELOAD");
    return wait_for_program(child, standard_output, standard_error);
  }

  void expect_refused(const Outcome& outcome) const {
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    for (const char* line : {"intruder: file: Permission denied\n",
                             "intruder: connection: Operation not permitted\n"}) {
      EXPECT_NE(outcome.said.find(line), std::string::npos) << outcome.said;
    }
    EXPECT_NE(outcome.said.find("intruder: program: "), std::string::npos) << outcome.said;
    EXPECT_EQ(outcome.said.find("done\n"), std::string::npos) << outcome.said;
    EXPECT_FALSE(std::filesystem::exists(foreign()));
  }

  const std::string encoder_ = tests_path("cli/fixtures/tiny_encoder");

 private:
  TemporaryFolder folder_;
  TemporaryFolder other_;
};

TEST_F(Sandbox, InspectRefusesWhatAHostileFileWouldDo) {
  const Outcome outcome = run({"inspect", encoder_});
  expect_refused(outcome);
  EXPECT_NE(outcome.printed.find("embeddings"), std::string::npos) << outcome.printed;
}

TEST_F(Sandbox, ConvertWritesItsOutputAndNothingElse) {
  expect_refused(run({"convert", encoder_, out(), "--sandbox", "on"}));
  EXPECT_TRUE(std::filesystem::exists(out() + "/model.safetensors"));
  expect_refused(run({"convert", encoder_, out() + ".pt"}));
  EXPECT_TRUE(std::filesystem::exists(out() + ".pt"));
}

TEST_F(Sandbox, OffLeavesAllRights) {
  const Outcome outcome = run({"inspect", encoder_, "--sandbox", "off"});
  EXPECT_EQ(outcome.status, 0);
  for (const char* attempt : {"file", "connection", "program"}) {
    EXPECT_NE(outcome.said.find(std::string("intruder: ") + attempt + ": done\n"),
              std::string::npos)
        << outcome.said;
  }
  EXPECT_TRUE(std::filesystem::exists(foreign()));
}

}  // namespace
}  // namespace bertha::test
