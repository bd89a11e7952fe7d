#include <gtest/gtest.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "k8s/manifests.h"
#include "k8s/server_manifest.h"
#include "support/files.h"

namespace bertha::cli {
namespace {

int k8s(const std::vector<std::string>& words) {
  return run_k8s(words);
}

TEST(K8sCommand, OneManifestGoesToStandardOutput) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(k8s({"render", "--job=phase2", "--cards=16", "--user=me"}), 0);
  k8s::ManifestOptions options;
  options.job = "phase2";
  options.cards = 16;
  options.user = "me";
  EXPECT_EQ(testing::internal::GetCapturedStdout(), k8s::render_manifest(options));
}

TEST(K8sCommand, OutputFolderGetsAllManifests) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(k8s({"render", "--device=cpu", "--output-dir", folder.file("new")}), 0);
  k8s::ManifestOptions options;
  options.device = "cpu";
  const std::vector<k8s::NamedManifest> all = k8s::recipe_manifests(options);
  EXPECT_EQ(all.size(), 8U);
  for (const k8s::NamedManifest& manifest : all) {
    EXPECT_EQ(test::read_all(folder.path() / "new" / manifest.path),
              k8s::render_manifest(manifest.options));
  }
}

TEST(K8sCommand, AServerIsAJob) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(k8s({"render", "--job=serve", "--model", "qa=answers:answer", "--replicas=3",
                 "--namespace=me", "--image=a/b:1", "--autocast"}),
            0);
  k8s::ServerManifestOptions options;
  options.models = {"qa=answers:answer"};
  options.replicas = 3;
  options.name_space = "me";
  options.image = "a/b:1";
  options.autocast = true;
  EXPECT_EQ(testing::internal::GetCapturedStdout(), k8s::render_server_manifest(options));
}

TEST(K8sCommand, AnOptionOfAnotherJobIsAnError) {
  EXPECT_THROW(k8s({"render", "--job=serve", "--cards=8"}), UsageError);
  EXPECT_THROW(k8s({"render", "--job=serve", "--output-dir=x"}), UsageError);
  EXPECT_THROW(k8s({"render", "--job=phase1", "--replicas=2"}), UsageError);
}

TEST(K8sCommand, AWrongValueAndAnUnknownWordAreErrors) {
  EXPECT_THROW(k8s({"render", "--job=phase3"}), Error);
  EXPECT_THROW(k8s({"render", "--job=serve", "--device=gaudi"}), Error);
  for (const std::vector<std::string>& words : {std::vector<std::string>{}, {"lint"}}) {
    try {
      k8s(words);
      FAIL() << "no error";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("expected"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("render"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace bertha::cli
