#include "prepare/manifest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/files.h"

namespace bertha::prepare {
namespace {

TEST(Manifest, StageIsDoneWhileOptionsInputsAndOutputsAreTheSame) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("in.txt"), "input");
  test::write_all(folder.file("out.txt"), "output");
  StageWork work{
      "test", folder.file(""), folder.file("m/test.json"), {folder.file("in.txt")}, {{"a", "1"}}};
  std::string why;
  EXPECT_FALSE(is_done(work, why));
  begin_stage(work);
  finish_stage(work, {{"lines", 3}}, {folder.file("out.txt")});
  EXPECT_TRUE(is_done(work, why)) << why;
  const auto manifest = nlohmann::json::parse(test::read_all(work.manifest));
  EXPECT_EQ(manifest["outputs"]["out.txt"]["sha256"],
            "e0ee8bb50685e05fa0f47ed04203ae953fdfd055f5bd2892ea186504254f8c3a");

  work.options["a"] = "2";
  EXPECT_FALSE(is_done(work, why));
  work.options["a"] = "1";
  test::write_all(folder.file("in.txt"), "INPUT");
  EXPECT_FALSE(is_done(work, why));
  test::write_all(folder.file("in.txt"), "input");
  EXPECT_TRUE(is_done(work, why)) << why;
  test::write_all(folder.file("out.txt"), "out");
  EXPECT_FALSE(is_done(work, why));
  test::write_all(work.manifest, "{\"version\": 1, \"inp");
  EXPECT_FALSE(is_done(work, why));
  EXPECT_EQ(why, "its manifest is damaged");
  const std::string deep(1'000'000, '[');
  test::write_all(work.manifest, "{\"outputs\": " + deep + std::string(deep.size(), ']') + "}");
  EXPECT_FALSE(is_done(work, why));
  EXPECT_EQ(why, "its manifest is damaged");
  begin_stage(work);
  EXPECT_FALSE(std::filesystem::exists(work.manifest));
}

}  // namespace
}  // namespace bertha::prepare
