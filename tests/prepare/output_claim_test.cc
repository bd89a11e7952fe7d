#include "prepare/output_claim.h"

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"
#include "support/files.h"

namespace bertha::prepare {
namespace {

TEST(OutputClaim, LinesOfTheRecordThatCannotBeReadDoNotCount) {
  const test::TemporaryFolder folder;
  OutputClaim claim{.stage = "test",
                    .folder = folder.path().string(),
                    .outputs = {"a"},
                    .present = {},
                    .made_by = {{"seed", "1"}},
                    .option = "output-dir"};
  claim_outputs(claim, false);
  const std::string record = folder.file(".bertha_prepare.jsonl");
  const std::string whole = test::read_all(record);
  const std::string deep(1'000'000, '[');
  test::write_all(record, "{\"stage\": " + deep + "\nnot JSON\n[]\n" + whole);
  claim.present = {"a"};
  claim_outputs(claim, false);
  test::write_all(record, "{\"stage\": \"test\", \"x\": " + deep + "\n");
  EXPECT_THROW(claim_outputs(claim, false), Error);
  claim_outputs(claim, true);
}

}  // namespace
}  // namespace bertha::prepare
