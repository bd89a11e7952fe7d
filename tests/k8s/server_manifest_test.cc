// The manifests of `bertha k8s render --job=serve`: equal to deploy/serve/kubernetes.yaml, and with
// what the server's own behaviour asks of Kubernetes.

#include "k8s/server_manifest.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "plain_yaml.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::k8s {
namespace {

using nlohmann::json;

/// The objects: Deployment, Service, PodDisruptionBudget.
std::vector<json> objects_of(const ServerManifestOptions& options) {
  std::string text = render_server_manifest(options);
  while (text.starts_with("#")) text.erase(0, text.find('\n') + 1);
  std::vector<json> objects;
  for (size_t end = 0; end != std::string::npos; text.erase(0, end + 4)) {
    end = text.find("---\n");
    objects.push_back(test::PlainYaml::read(text.substr(0, end)));
    if (end == std::string::npos) break;
  }
  return objects;
}

json pod_of(const json& deployment) {
  return deployment["spec"]["template"]["spec"];
}
json container_of(const json& deployment) {
  return pod_of(deployment)["containers"][0];
}
bool has_argument(const json& container, const char* argument) {
  return std::ranges::any_of(container["args"], [&](const json& one) { return one == argument; });
}

TEST(ServerManifest, FileOfDeployEqualsTheRenderedOne) {
  EXPECT_EQ(test::read_all(test::tests_path("../deploy/serve/kubernetes.yaml")),
            render_server_manifest({}))
      << "bertha k8s render --job=serve > deploy/serve/kubernetes.yaml";
}

TEST(ServerManifest, ServiceAndBudgetSelectThePodsOfTheDeployment) {
  const std::vector<json> objects = objects_of({.name_space = "me"});
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0]["kind"], "Deployment");
  EXPECT_EQ(objects[1]["kind"], "Service");
  EXPECT_EQ(objects[2]["kind"], "PodDisruptionBudget");
  const json labels = objects[0]["spec"]["template"]["metadata"]["labels"];
  EXPECT_EQ(objects[0]["spec"]["selector"]["matchLabels"], labels);
  EXPECT_EQ(objects[1]["spec"]["selector"], labels);
  EXPECT_EQ(objects[2]["spec"]["selector"]["matchLabels"], labels);
  EXPECT_EQ(objects[1]["spec"]["ports"][0]["targetPort"],
            container_of(objects[0])["ports"][0]["name"]);
  for (const json& object : objects) EXPECT_EQ(object["metadata"]["namespace"], "me");
}

TEST(ServerManifest, ModelsAreFoldersOfTheClaim) {
  const json deployment =
      objects_of({.models = {"qa=runs/answers", "e=mini:embed"}, .models_claim = "weights"})[0];
  const auto has = [&](const char* argument) {
    return has_argument(container_of(deployment), argument);
  };
  EXPECT_TRUE(has("--model=qa=/models/runs/answers"));
  EXPECT_TRUE(has("--model=e=/models/mini:embed"));
  EXPECT_EQ(pod_of(deployment)["volumes"][0]["persistentVolumeClaim"]["claimName"], "weights");
  EXPECT_EQ(container_of(deployment)["volumeMounts"][0]["mountPath"], "/models");
  EXPECT_FALSE(has("--precision=bf16"));
}

TEST(ServerManifest, KubernetesWaitsLongerThanTheServerDrains) {
  const json deployment = objects_of({.drain_seconds = 30, .grace_seconds = 100})[0];
  EXPECT_GT(pod_of(deployment)["terminationGracePeriodSeconds"], 130);
}

TEST(ServerManifest, ADrainingServerIsNotReadyAndLives) {
  const json container = container_of(objects_of({})[0]);
  EXPECT_EQ(container["readinessProbe"]["httpGet"]["path"], "/health");
  EXPECT_EQ(container["startupProbe"]["httpGet"]["path"], "/health");
  EXPECT_EQ(container["livenessProbe"]["httpGet"]["path"], "/v2/health/live");
}

TEST(ServerManifest, ADeviceIsRequestedAndUsed) {
  const json container = container_of(objects_of({.device = "nvidia"})[0]);
  EXPECT_EQ(container["resources"]["limits"]["nvidia.com/gpu"], 1);
  EXPECT_EQ(container["resources"]["requests"], container["resources"]["limits"]);
  EXPECT_TRUE(has_argument(container, "--device=cuda"));
  EXPECT_FALSE(container_of(objects_of({})[0])["resources"]["limits"].contains("nvidia.com/gpu"));
}

TEST(ServerManifest, WrongValuesAreRefused) {
  const auto refused = [](const ServerManifestOptions& options) {
    EXPECT_THROW(render_server_manifest(options), Error);
  };
  refused({.device = "gaudi"});
  refused({.models = {}});
  refused({.models = {"answers"}});
  refused({.models = {"qa=/models/answers"}});
  refused({.models = {"qa=a\"b"}});
  refused({.replicas = 0});
  refused({.cpus = 0});
  refused({.drain_seconds = -1});
  refused({.grace_seconds = 0});
}

}  // namespace
}  // namespace bertha::k8s
