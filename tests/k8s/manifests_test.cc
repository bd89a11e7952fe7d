// The manifests that `bertha k8s render` writes: equal to the files of deploy/, and with the
// structure that Kubernetes and the MPI operator require. validate_manifests.py, which is run by
// hand, validates them against Kubernetes' own schemas.

#include "k8s/manifests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "plain_yaml.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::k8s {
namespace {

using nlohmann::json;
using Problems = std::vector<std::string>;

/// Every form that a manifest can take.
std::vector<ManifestOptions> all_forms() {
  std::vector<ManifestOptions> all;
  for (const char* api : {"v2beta1", "v1"}) {
    for (const char* device : {"nvidia", "gaudi", "cpu"}) {
      for (const char* storage : {"hostpath", "claims"}) {
        ManifestOptions options;
        options.api = api;
        options.device = device;
        options.storage = storage;
        for (const NamedManifest& manifest : recipe_manifests(options)) {
          all.push_back(manifest.options);
        }
      }
    }
  }
  return all;
}

std::string label_of(const ManifestOptions& o) {
  return fmt::format("{} on {} cards, {}, {}, {}", o.job, o.cards, o.api, o.device, o.storage);
}

// ---- what Kubernetes requires -------------------------------------------------------------------

/// A DNS label (RFC 1123), which names of objects and containers must be.
bool is_label(const json& name) {
  if (!name.is_string()) return false;
  const auto& text = name.get_ref<const std::string&>();
  const bool ends = !text.empty() && text.front() != '-' && text.back() != '-';
  return ends && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool is_texts(const json& list) {
  return list.is_array() && !list.empty() &&
         std::ranges::all_of(list, [](const json& item) { return item.is_string(); });
}

/// The field, or null where it is missing.
json field(const json& object, const std::string& pointer) {
  const json::json_pointer path(pointer);
  return object.contains(path) ? object.at(path) : json();
}

void expect(bool holds, const std::string& what, Problems& problems) {
  if (!holds) problems.push_back(what);
}

/// Names of the volumes of a pod.
std::set<std::string> check_volumes(const json& volumes, Problems& problems) {
  std::set<std::string> names;
  expect(volumes.is_array(), "volumes is a list", problems);
  for (const json& volume : volumes) {
    const json name = field(volume, "/name");
    expect(is_label(name) && names.insert(name.get<std::string>()).second,
           "each volume has a name of its own", problems);
    const bool empty = volume.contains("emptyDir");
    const json path = field(volume, "/hostPath/path");
    const json claim = field(volume, "/persistentVolumeClaim/claimName");
    expect(volume.size() == 2 && (empty || path.is_string() || is_label(claim)),
           "each volume has one source", problems);
  }
  return names;
}

void check_mounts(const json& mounts, const std::set<std::string>& volumes, Problems& problems) {
  std::set<std::string> paths;
  expect(mounts.is_array(), "volumeMounts is a list", problems);
  for (const json& mount : mounts) {
    const json name = field(mount, "/name");
    const json path = field(mount, "/mountPath");
    expect(name.is_string() && volumes.contains(name.get<std::string>()), "a mount names a volume",
           problems);
    expect(path.is_string() && path.get<std::string>().starts_with("/") &&
               paths.insert(path.get<std::string>()).second,
           "a mount has a path of its own", problems);
    const json read_only = field(mount, "/readOnly");
    expect(read_only.is_null() || read_only.is_boolean(), "readOnly is true or false", problems);
  }
}

void check_resources(const json& resources, Problems& problems) {
  for (const char* kind : {"/limits", "/requests"}) {
    expect(field(resources, std::string(kind) + "/cpu").is_number_integer(),
           "processors are a number", problems);
    expect(field(resources, std::string(kind) + "/memory").is_string(), "memory has a unit",
           problems);
  }
  expect(field(resources, "/limits") == field(resources, "/requests"),
         "limits and requests are equal, which devices need", problems);
}

void check_container(const json& container, const std::set<std::string>& volumes,
                     Problems& problems) {
  expect(is_label(field(container, "/name")), "a container has a name", problems);
  expect(field(container, "/image").is_string(), "a container has an image", problems);
  const json command = field(container, "/command");
  expect(command.is_null() || is_texts(command), "a command is a list of texts", problems);
  expect(field(container, "/securityContext/runAsNonRoot") == true, "a container is not root's",
         problems);
  check_mounts(field(container, "/volumeMounts"), volumes, problems);
  check_resources(field(container, "/resources"), problems);
  for (const json& variable : field(container, "/env")) {
    expect(field(variable, "/name").is_string() && field(variable, "/value").is_string(),
           "a variable has a name and a text", problems);
  }
}

void check_pod(const json& spec, Problems& problems) {
  const json grace = field(spec, "/terminationGracePeriodSeconds");
  expect(grace.is_number_integer() && grace > 0, "the grace period is a number", problems);
  const std::set<std::string> volumes = check_volumes(field(spec, "/volumes"), problems);
  const json containers = field(spec, "/containers");
  expect(containers.is_array() && containers.size() == 1, "a pod has one container", problems);
  for (const json& container : containers) check_container(container, volumes, problems);
}

// ---- what the MPI operator requires -------------------------------------------------------------

void check_job(const json& spec, Problems& problems) {
  const json slots = field(spec, "/slotsPerWorker");
  expect(slots.is_number_integer() && slots > 0, "a worker has slots", problems);
  expect(field(spec, "/runPolicy/cleanPodPolicy") == "Running", "workers end with the launcher",
         problems);
  expect(field(spec, "/mpiReplicaSpecs").size() == 2, "a launcher and workers", problems);
  expect(field(spec, "/mpiReplicaSpecs/Launcher/replicas") == 1, "one launcher", problems);
  const json workers = field(spec, "/mpiReplicaSpecs/Worker/replicas");
  expect(workers.is_number_integer() && workers > 0, "a number of workers", problems);
  for (const std::string replica : {"/mpiReplicaSpecs/Launcher", "/mpiReplicaSpecs/Worker"}) {
    expect(field(spec, replica + "/restartPolicy") == "Never", "the operator restarts", problems);
    check_pod(field(spec, replica + "/template/spec"), problems);
  }
  const json script = field(spec, "/mpiReplicaSpecs/Launcher/template/spec/containers/0/args/0");
  const std::string counts =
      fmt::format("\nNUM_NODES={}\nNGPU_PER_NODE={}\n", workers.dump(), slots.dump());
  expect(script.is_string() && script.get<std::string>().find(counts) != std::string::npos,
         "the launcher starts as many ranks as the workers have slots", problems);
}

/// A line for each requirement that a manifest breaks.
Problems problems_of(const json& manifest) {
  Problems problems;
  expect(is_label(field(manifest, "/metadata/name")), "an object has a name", problems);
  expect(is_label(field(manifest, "/metadata/namespace")), "an object has a namespace", problems);
  const json kind = field(manifest, "/kind");
  const json api = field(manifest, "/apiVersion");
  const json spec = field(manifest, "/spec");
  if (kind == "MPIJob") {
    expect(api == "kubeflow.org/v2beta1" || api == "kubeflow.org/v1", "an operator", problems);
    check_job(spec, problems);
  } else {
    expect(kind == "Pod" && api == "v1", "a Pod of version 1", problems);
    expect(field(spec, "/restartPolicy") == "Never", "a Pod runs once", problems);
    check_pod(spec, problems);
  }
  return problems;
}

// ---- tests --------------------------------------------------------------------------------------

TEST(Manifests, FilesOfDeployEqualTheRenderedOnes) {
  const std::filesystem::path deploy = test::tests_path("../deploy");
  for (const NamedManifest& manifest : recipe_manifests({})) {
    EXPECT_EQ(test::read_all(deploy / manifest.path), render_manifest(manifest.options))
        << manifest.path << ": run bertha k8s render --output-dir deploy";
  }
}

TEST(Manifests, EveryFormHasTheRequiredStructure) {
  for (const ManifestOptions& options : all_forms()) {
    const json manifest = test::PlainYaml::read(render_manifest(options));
    EXPECT_EQ(problems_of(manifest), Problems()) << label_of(options);
  }
}

/// The container that does a manifest's work.
json worker_of(const json& manifest) {
  const bool job = manifest["kind"] == "MPIJob";
  return manifest.at(json::json_pointer(
      job ? "/spec/mpiReplicaSpecs/Worker/template/spec/containers/0" : "/spec/containers/0"));
}

TEST(Manifests, EveryAcceleratorIsRequested) {
  for (const ManifestOptions& options : all_forms()) {
    const json manifest = test::PlainYaml::read(render_manifest(options));
    const bool job = manifest["kind"] == "MPIJob";
    const json limits = worker_of(manifest)["resources"]["limits"];
    const int64_t each = job ? options.cards_per_node : options.job == "data_gen" ? 0 : 1;
    const json expected = each == 0 ? json() : json(each);
    EXPECT_EQ(field(limits, "/nvidia.com~1gpu"), options.device == "nvidia" ? expected : json())
        << label_of(options);
    EXPECT_EQ(field(limits, "/habana.ai~1gaudi"), options.device == "gaudi" ? expected : json())
        << label_of(options);
    if (job) {
      EXPECT_EQ(manifest["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"].get<int64_t>() * each,
                options.cards);
    }
  }
}

TEST(Manifests, SynapseAiWritesWhereTheFileSystemIsWritable) {
  ManifestOptions options;
  options.device = "gaudi";
  for (const NamedManifest& manifest : recipe_manifests(options)) {
    const std::string text = render_manifest(manifest.options);
    const bool runs = manifest.options.job != "data_gen";
    EXPECT_EQ(text.find("value: \"/scratch/habana_logs\"") != std::string::npos, runs)
        << manifest.path;
    const bool ranks = manifest.options.cards > 1;
    EXPECT_EQ(text.find("-x GC_KERNEL_PATH -x HABANA_LOGS") != std::string::npos, ranks)
        << manifest.path;
  }
  for (const NamedManifest& manifest : recipe_manifests({})) {
    EXPECT_EQ(render_manifest(manifest.options).find("HABANA"), std::string::npos) << manifest.path;
  }
}

TEST(Manifests, DataAreReadOnlyExceptInTheJobThatMakesThem) {
  for (const ManifestOptions& options : all_forms()) {
    const json worker = worker_of(test::PlainYaml::read(render_manifest(options)));
    json at_data;
    for (const json& mount : worker["volumeMounts"]) {
      if (mount["mountPath"] == "/ceph/datasets") at_data = mount;
    }
    const json expected = options.job == "data_gen" ? json() : json(true);
    EXPECT_EQ(field(at_data, "/readOnly"), expected) << label_of(options);
  }
}

TEST(Manifests, GracePeriodIsLongerThanASave) {
  for (NamedManifest& manifest : recipe_manifests({})) {
    manifest.options.save_seconds = 7000;
    const std::string text = render_manifest(manifest.options);
    EXPECT_NE(text.find("terminationGracePeriodSeconds: 7060\n"), std::string::npos);
    EXPECT_EQ(text.find("terminationGracePeriodSeconds: 360\n"), std::string::npos);
  }
}

TEST(Manifests, JobsThatHaveNoSuchFormAreRefused) {
  const auto refused = [](auto change) {
    ManifestOptions options;
    change(options);
    EXPECT_THROW(render_manifest(options), Error) << label_of(options);
  };
  refused([](ManifestOptions& o) { o.cards = 12; });
  refused([](ManifestOptions& o) { o.cards = 0; });
  refused([](ManifestOptions& o) { o.save_seconds = 0; });
  refused([](ManifestOptions& o) { o.job = "phase3"; });
  refused([](ManifestOptions& o) { o.api = "v3"; });
  refused([](ManifestOptions& o) { o.device = "tpu"; });
  refused([](ManifestOptions& o) { o.storage = "nfs"; });
  for (const char* job : {"data_gen", "inference"}) {
    refused([&](ManifestOptions& o) { o.job = job, o.cards = 8; });
  }
}

/// Fields that a manifest must have. In an MPIJob those of a pod are looked for in its worker.
std::vector<std::string> required_fields(bool job) {
  const std::string pod = job ? "/spec/mpiReplicaSpecs/Worker/template/spec" : "/spec";
  std::vector<std::string> fields = {"/apiVersion", "/kind", "/metadata/name",
                                     "/metadata/namespace", "/spec"};
  for (const char* own :
       {"/terminationGracePeriodSeconds", "/volumes", "/volumes/0/name", "/volumes/0/emptyDir",
        "/containers", "/containers/0/name", "/containers/0/image", "/containers/0/securityContext",
        "/containers/0/volumeMounts/0/name", "/containers/0/volumeMounts/1/mountPath",
        "/containers/0/resources/limits/cpu", "/containers/0/resources/requests/memory"}) {
    fields.push_back(pod + own);
  }
  if (!job) fields.emplace_back("/spec/restartPolicy");
  if (!job) return fields;
  for (const char* own :
       {"/slotsPerWorker", "/runPolicy", "/mpiReplicaSpecs/Launcher",
        "/mpiReplicaSpecs/Launcher/replicas", "/mpiReplicaSpecs/Launcher/template/spec",
        "/mpiReplicaSpecs/Worker/replicas", "/mpiReplicaSpecs/Worker/restartPolicy"}) {
    fields.push_back(std::string("/spec") + own);
  }
  return fields;
}

/// The checks above must see what they claim to see.
TEST(ManifestChecks, AMissingFieldIsAProblem) {
  for (const NamedManifest& manifest : recipe_manifests({})) {
    const json whole = test::PlainYaml::read(render_manifest(manifest.options));
    for (const std::string& name : required_fields(whole["kind"] == "MPIJob")) {
      const json::json_pointer path(name);
      json changed = whole;
      ASSERT_TRUE(changed.contains(path)) << manifest.path << " has no " << name;
      changed.at(path.parent_pointer()).erase(path.back());
      EXPECT_NE(problems_of(changed), Problems()) << manifest.path << " without " << name;
    }
  }
}

TEST(ManifestChecks, AWrongValueIsAProblem) {
  const std::string pod = "/spec/mpiReplicaSpecs/Worker/template/spec";
  const std::string container = pod + "/containers/0";
  const std::vector<std::pair<std::string, json>> changes = {
      {"/metadata/name", "Bert"},
      {"/metadata/name", std::string(64, 'a')},
      {"/metadata/namespace", "a.b"},
      {"/apiVersion", "v3"},
      {"/spec/slotsPerWorker", "eight"},
      {"/spec/mpiReplicaSpecs/Launcher/replicas", 2},
      {"/spec/mpiReplicaSpecs/Worker/replicas", 5},
      {"/spec/mpiReplicaSpecs/Worker/restartPolicy", "Always"},
      {"/spec/mpiReplicaSpecs/Other", json::object()},
      {pod + "/terminationGracePeriodSeconds", -1},
      {pod + "/volumes/1/name", "scratch"},
      {pod + "/volumes/0/hostPath", {{"path", "/x"}}},
      {container + "/name", "bert_worker"},
      {container + "/command", "bertha pretrain"},
      {container + "/volumeMounts/0/name", "nowhere"},
      {container + "/volumeMounts/1/mountPath", "/scratch"},
      {container + "/volumeMounts/0/readOnly", "yes"},
      {container + "/resources/requests/cpu", 999},
      {container + "/env", json::array({{{"name", "STEPS"}, {"value", 10}}})},
  };
  ManifestOptions options;
  options.cards = 32;
  const json whole = test::PlainYaml::read(render_manifest(options));
  for (const auto& [path, value] : changes) {
    json changed = whole;
    changed[json::json_pointer(path)] = value;
    EXPECT_NE(problems_of(changed), Problems()) << path << " = " << value;
  }
}

TEST(PlainYaml, WhatItCannotReadIsRefused) {
  for (const char* text : {"a: 1\na: 2\n", "a: &b 1\n", "a\n", "a: 1\n    b: 2\n", "a:\nb: 1\n"}) {
    EXPECT_THROW(test::PlainYaml::read(text), std::runtime_error) << text;
  }
}

}  // namespace
}  // namespace bertha::k8s
