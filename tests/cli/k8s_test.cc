#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "cli/k8s_lint.h"
#include "core/error.h"
#include "k8s/k8s_render.h"
#include "support/paths.h"

namespace bertha::cli {
namespace {

std::string lines_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings)
    text += fmt::format("{}: {}\n", finding.line, finding.text);
  return text;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Every form a manifest can take.
std::vector<k8s::ManifestOptions> all_forms() {
  std::vector<k8s::ManifestOptions> all;
  for (const char* api : {"v2beta1", "v1"}) {
    for (const char* device : {"nvidia", "gaudi", "cpu"}) {
      for (const char* storage : {"hostpath", "claims"}) {
        k8s::ManifestOptions options;
        options.api = api;
        options.device = device;
        options.storage = storage;
        for (const k8s::NamedManifest& manifest : k8s::recipe_manifests(options)) {
          all.push_back(manifest.options);
        }
      }
    }
  }
  return all;
}

TEST(K8s, EveryRenderedManifestIsClean) {
  for (const k8s::ManifestOptions& options : all_forms()) {
    EXPECT_EQ(lines_of(lint_manifest(k8s::render_manifest(options))), "")
        << options.job << ' ' << options.cards << ' ' << options.api << ' ' << options.device;
  }
}

TEST(K8s, TheFilesOfDeployAreWhatRenderWrites) {
  const std::filesystem::path deploy = test::tests_path("../deploy");
  for (const k8s::NamedManifest& manifest : k8s::recipe_manifests({})) {
    EXPECT_EQ(read_file(deploy / manifest.path), k8s::render_manifest(manifest.options))
        << manifest.path << ": run bertha k8s render --output-dir deploy";
  }
}

/// The forms of the recipe's users: sizes that differ between limits and requests, numbers with G
/// and Gi, hugepages, a launcher without resources.
constexpr const char* kUsersPod = R"(
apiVersion: v1
kind: Pod
metadata:
  name: bert
spec:
  restartPolicy: Never
  volumes:
    - name: scratch
      emptyDir: {}
    - name: ceph
      hostPath: {path: /data/users/me, type: Directory}
  containers:
    - name: main
      image: registry.example/bert:1
      volumeMounts:
        - {mountPath: /scratch, name: scratch}
        - {mountPath: /ceph, name: ceph}
      resources:
        limits: {memory: 32Gi, cpu: 12, habana.ai/gaudi: 1, hugepages-2Mi: 95000Mi}
        requests: {memory: 32G, cpu: 12, habana.ai/gaudi: 1, hugepages-2Mi: 95000Mi}
      env:
        - {name: output, value: "/ceph/results"}
      command: ["/bin/sh", "-c"]
      args: ["true"]
)";

TEST(K8s, TakesWhatUsersWrite) {
  EXPECT_EQ(lines_of(lint_manifest(kUsersPod)), "");
}

TEST(K8s, NamesLineAndPath) {
  const auto findings = lint_manifest(
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: bert\nspec:\n  restartpolicy: Never\n"
      "  containers:\n    - name: main\n      image: bert\n");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].line, 6);
  EXPECT_EQ(findings[0].text, "Pod.spec.restartpolicy: PodSpec has no such field");
}

TEST(K8s, RefusesWhatIsNoManifest) {
  EXPECT_FALSE(lint_manifest("").empty());
  EXPECT_FALSE(lint_manifest("a: [1, 2").empty());
  EXPECT_FALSE(lint_manifest("just a text").empty());
  EXPECT_FALSE(lint_manifest("kind: Deployment\napiVersion: apps/v1\n").empty());
}

TEST(K8s, ASmallFileOfManyAliasesIsRefused) {
  std::string yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n";
  yaml += "    - &c {name: a, image: b, args: &a [";
  for (int i = 0; i < 200; ++i) yaml += "x, ";
  yaml += "x]}\n";
  for (int i = 0; i < 200; ++i) yaml += "    - *c\n";
  EXPECT_THROW(lint_manifest(yaml), Error);
}

// ---- mutations ---------------------------------------------------------------------------------

/// Changes a manifest so that Kubernetes or the operator refuses it; false: does not apply.
struct Mutation {
  const char* name;
  std::function<bool(YAML::Node)> change;
};

bool is_job(const YAML::Node& root) {
  return root["kind"].Scalar() == "MPIJob";
}

/// The pod that does the work.
YAML::Node pod_of(const YAML::Node& root) {
  return is_job(root) ? root["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]
                      : root["spec"];
}
YAML::Node container_of(const YAML::Node& root) {
  return pod_of(root)["containers"][0];
}

/// A mutation of every manifest.
Mutation any(const char* name, const std::function<void(YAML::Node)>& change) {
  return {name, [change](YAML::Node root) {
            change(root);
            return true;
          }};
}
/// A mutation of MPIJobs alone.
Mutation of_jobs(const char* name, const std::function<void(YAML::Node)>& change) {
  return {name, [change](YAML::Node root) {
            if (!is_job(root)) return false;
            change(root["spec"]);
            return true;
          }};
}

std::vector<Mutation> mutations_of_pods() {
  return {
      any("no kind", [](YAML::Node root) { root.remove("kind"); }),
      any("no metadata", [](YAML::Node root) { root.remove("metadata"); }),
      any("no spec", [](YAML::Node root) { root.remove("spec"); }),
      any("wrong version", [](YAML::Node root) { root["apiVersion"] = "v3"; }),
      any("upper-case name", [](YAML::Node root) { root["metadata"]["name"] = "Bert"; }),
      any("namespace with a dot", [](YAML::Node root) { root["metadata"]["namespace"] = "a.b"; }),
      any("unknown field of the spec", [](YAML::Node root) { root["spec"]["replica"] = 1; }),
      any("no containers", [](YAML::Node root) { pod_of(root).remove("containers"); }),
      any("empty containers",
          [](YAML::Node root) { pod_of(root)["containers"] = YAML::Load("[]"); }),
      any("containers as a map",
          [](YAML::Node root) { pod_of(root)["containers"] = YAML::Load("{name: a}"); }),
      any("container without image", [](YAML::Node root) { container_of(root).remove("image"); }),
      any("container without name", [](YAML::Node root) { container_of(root).remove("name"); }),
      any("container's name with _",
          [](YAML::Node root) { container_of(root)["name"] = "bert_worker"; }),
      any("command as a text",
          [](YAML::Node root) { container_of(root)["command"] = "bertha pretrain"; }),
      any("misspelt field", [](YAML::Node root) { container_of(root)["volumeMount"] = "a"; }),
      any("mount without volume",
          [](YAML::Node root) { container_of(root)["volumeMounts"][0]["name"] = "nowhere"; }),
      any("two mounts at one place",
          [](YAML::Node root) {
            YAML::Node mounts = container_of(root)["volumeMounts"];
            mounts[1]["mountPath"] = mounts[0]["mountPath"].Scalar();
          }),
      any("mount that leaves its volume",
          [](YAML::Node root) { container_of(root)["volumeMounts"][0]["subPath"] = "../x"; }),
      any("readOnly as a text",
          [](YAML::Node root) { container_of(root)["volumeMounts"][0]["readOnly"] = "yes"; }),
      any("two volumes of one name",
          [](YAML::Node root) {
            YAML::Node volumes = pod_of(root)["volumes"];
            volumes[1]["name"] = volumes[0]["name"].Scalar();
          }),
      any("volume with two sources",
          [](YAML::Node root) {
            pod_of(root)["volumes"][0]["hostPath"] = YAML::Load("{path: /x}");
          }),
      any("hostPath of no kind",
          [](YAML::Node root) { pod_of(root)["volumes"][1]["hostPath"]["type"] = "Folder"; }),
      any("negative grace",
          [](YAML::Node root) { pod_of(root)["terminationGracePeriodSeconds"] = -1; }),
      any("restartPolicy of no kind",
          [](YAML::Node root) { pod_of(root)["restartPolicy"] = "Sometimes"; }),
      any("requests above limits",
          [](YAML::Node root) { container_of(root)["resources"]["requests"]["cpu"] = 999; }),
      any("memory in no unit",
          [](YAML::Node root) { container_of(root)["resources"]["limits"]["memory"] = "32GB"; }),
      any("half a card",
          [](YAML::Node root) {
            for (const char* kind : {"limits", "requests"}) {
              container_of(root)["resources"][kind]["nvidia.com/gpu"] = "500m";
            }
          }),
      any("card without a limit",
          [](YAML::Node root) {
            container_of(root)["resources"]["limits"].remove("nvidia.com/gpu");
            container_of(root)["resources"]["requests"]["nvidia.com/gpu"] = 1;
          }),
      any("bad variable",
          [](YAML::Node root) {
            container_of(root)["env"] = YAML::Load("[{name: '1 x', value: a}]");
          }),
      any("variable that is a number",
          [](YAML::Node root) {
            container_of(root)["env"] = YAML::Load("[{name: STEPS, value: 10}]");
          }),
  };
}

std::vector<Mutation> mutations_of_jobs() {
  return {
      of_jobs("two launchers",
              [](YAML::Node spec) { spec["mpiReplicaSpecs"]["Launcher"]["replicas"] = 2; }),
      of_jobs("no launcher", [](YAML::Node spec) { spec["mpiReplicaSpecs"].remove("Launcher"); }),
      of_jobs("no count of workers",
              [](YAML::Node spec) { spec["mpiReplicaSpecs"]["Worker"].remove("replicas"); }),
      of_jobs("no worker",
              [](YAML::Node spec) { spec["mpiReplicaSpecs"]["Worker"]["replicas"] = 0; }),
      of_jobs("workers by another name",
              [](YAML::Node spec) { spec["mpiReplicaSpecs"]["Workers"] = YAML::Load("{}"); }),
      of_jobs(
          "always restarted",
          [](YAML::Node spec) { spec["mpiReplicaSpecs"]["Worker"]["restartPolicy"] = "Always"; }),
      of_jobs("clean-up of no kind",
              [](YAML::Node spec) { spec["runPolicy"]["cleanPodPolicy"] = "Never"; }),
      of_jobs("negative retries", [](YAML::Node spec) { spec["runPolicy"]["backoffLimit"] = -1; }),
      of_jobs("negative slots", [](YAML::Node spec) { spec["slotsPerWorker"] = -8; }),
      of_jobs("slots as a text", [](YAML::Node spec) { spec["slotsPerWorker"] = "eight"; }),
      of_jobs("no template",
              [](YAML::Node spec) { spec["mpiReplicaSpecs"]["Worker"].remove("template"); }),
      of_jobs("probe at no port",
              [](YAML::Node spec) {
                spec["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
                    ["readinessProbe"] = YAML::Load("{tcpSocket: {port: 99999}}");
              }),
      of_jobs("probe that does nothing",
              [](YAML::Node spec) {
                spec["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
                    ["readinessProbe"] = YAML::Load("{periodSeconds: 2}");
              }),
      {"name that is no host",
       [](YAML::Node root) {
         root["metadata"]["name"] = "8cards-bert";
         return is_job(root);
       }},
      {"name too long for a host",
       [](YAML::Node root) {
         root["metadata"]["name"] = std::string(56, 'a');
         return is_job(root);
       }},
  };
}

TEST(K8s, EveryMutationIsRefused) {
  std::vector<Mutation> mutations = mutations_of_pods();
  for (const Mutation& mutation : mutations_of_jobs()) mutations.push_back(mutation);
  int tried = 0;
  for (const k8s::NamedManifest& manifest : k8s::recipe_manifests({})) {
    for (const Mutation& mutation : mutations) {
      YAML::Node root = YAML::Load(k8s::render_manifest(manifest.options));
      if (!mutation.change(root)) continue;
      ++tried;
      EXPECT_FALSE(lint_manifest(YAML::Dump(root)).empty())
          << manifest.path << ": " << mutation.name;
    }
  }
  EXPECT_GE(tried, 200);
}

TEST(K8s, AFieldGivenTwiceIsRefused) {
  const std::string yaml = std::string(kUsersPod) + "      tty: true\n      tty: false\n";
  EXPECT_NE(lines_of(lint_manifest(yaml)).find("given twice"), std::string::npos);
}

TEST(K8s, TheLauncherMustCountAsTheWorkersAre) {
  k8s::ManifestOptions options;
  options.cards = 32;
  std::string yaml = k8s::render_manifest(options);
  yaml.replace(yaml.find("NUM_NODES=4"), 11, "NUM_NODES=5");
  EXPECT_NE(lines_of(lint_manifest(yaml)).find("counts 5 nodes"), std::string::npos);
}

TEST(K8s, JobsThatHaveNoSuchFormAreRefused) {
  k8s::ManifestOptions options;
  options.cards = 12;
  EXPECT_THROW(k8s::render_manifest(options), Error);
  options.cards = 8;
  options.job = "data_gen";
  EXPECT_THROW(k8s::render_manifest(options), Error);
  options.job = "phase3";
  EXPECT_THROW(k8s::render_manifest(options), Error);
}

}  // namespace
}  // namespace bertha::cli
