#include "k8s/manifests.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/strings.h"
#include "k8s/job_scripts.h"
#include "k8s/text_template.h"

namespace bertha::k8s {
namespace {

constexpr std::string_view kPod = R"(apiVersion: v1
kind: Pod
metadata:
  name: {{name}}
  namespace: {{namespace}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: {{grace_seconds}}
  {{volumes}}
  containers:
    - name: bertha
      image: {{image}}
      {{security}}
      {{mounts}}
      {{resources}}
      {{environment}}
      command: ["/bin/bash", "-c"]
      args:
        - |
          {{script}}
)";

// SIGUSR1 makes the program save and end. The preStop hook keeps the container until that is done.
constexpr std::string_view kMpiJob = R"(apiVersion: kubeflow.org/{{api}}
kind: MPIJob
metadata:
  name: {{user}}-bert-{{cards}}cards
  namespace: {{namespace}}
spec:
  slotsPerWorker: {{cards_per_node}}
  {{ssh_keys}}
  runPolicy:
    cleanPodPolicy: Running
    backoffLimit: 3  # a launcher that ends is started again, and goes on
    ttlSecondsAfterFinished: 604800
  mpiReplicaSpecs:
    Launcher:
      replicas: 1
      restartPolicy: Never
      template:
        spec:
          terminationGracePeriodSeconds: {{grace_seconds}}
          {{volumes}}
          containers:
            - name: bert-launcher
              image: {{image}}
              {{security}}
              {{mounts}}
              {{launcher_resources}}
              {{environment}}
              lifecycle:
                preStop:
                  exec:
                    command: ["/bin/sh", "-c", "pkill -USR1 -x 'mpirun|prterun'; while pgrep -x 'mpirun|prterun'; do sleep 1; done"]
              command: ["/bin/bash", "-c"]
              args:
                - |
                  {{script}}
    Worker:
      replicas: {{workers}}
      restartPolicy: Never
      template:
        spec:
          terminationGracePeriodSeconds: {{grace_seconds}}
          hostIPC: true
          {{volumes}}
          containers:
            - name: bert-worker
              image: {{image}}
              {{security}}
              {{ssh_server}}
              {{mounts}}
              {{worker_resources}}
              lifecycle:
                preStop:
                  exec:
                    command: ["/bin/sh", "-c", "pkill -USR1 -x bertha; while pgrep -x bertha; do sleep 1; done"]
)";

constexpr std::string_view kSecurity = R"(securityContext:
  runAsUser: 1000  # the image's user; build it with your number (id -u)
  runAsNonRoot: true
  readOnlyRootFilesystem: {{read_only}}
  allowPrivilegeEscalation: false
  capabilities:
    drop: ["ALL"]
)";

constexpr std::string_view kResources = R"(resources:
  limits:
    cpu: {{cpu}}
    memory: {{memory}}
    {{devices}}
  requests:
    cpu: {{cpu}}
    memory: {{memory}}
    {{devices}}
)";

// Version 1 of the operator starts the ranks through Kubernetes' exec. Version 2 needs sshd.
constexpr std::string_view kSshServer =
    R"(command: ["/usr/sbin/sshd", "-De", "-f", "/opt/mpiuser/.sshd_config"]
readinessProbe:
  tcpSocket:
    port: 2222
  periodSeconds: 2
)";

constexpr std::string_view kVolumes = R"(volumes:
  - name: scratch
    emptyDir: {}
  {{others}}
)";

constexpr std::string_view kHostVolume = R"(- name: {{name}}
  hostPath:
    path: {{path}}
    type: Directory
)";

constexpr std::string_view kClaimVolume = R"(- name: {{name}}
  persistentVolumeClaim:
    claimName: {{claim}}
)";

constexpr std::string_view kMounts = R"(volumeMounts:
  - name: scratch
    mountPath: /scratch
  {{home}}
  - name: ceph
    mountPath: /ceph
  {{data}}
)";

constexpr std::string_view kHomeMount = R"(- name: mydir
  mountPath: /home
  readOnly: true
)";

// The results' volume is mounted at /ceph and is writable. The data are mounted over it, read-only
// except in the job that makes them.
constexpr std::string_view kDataMount = R"(- name: {{volume}}
  mountPath: /ceph/datasets
  {{sub_path}}
  {{read_only}}
)";

constexpr int64_t kSpareSeconds = 60;  ///< beside the save: to finish a step and end all processes

bool is_multi(const ManifestOptions& o) {
  return o.cards > 1;
}
bool uses_host_paths(const ManifestOptions& o) {
  return o.storage == "hostpath";
}
bool makes_data(const ManifestOptions& o) {
  return o.job == "data_gen";
}

std::string volumes(const ManifestOptions& o) {
  const auto host = [](const char* name, const std::string& path) {
    return fill_template(kHostVolume, {{"name", name}, {"path", path}});
  };
  const auto claim = [](const char* name, const std::string& claim_name) {
    return fill_template(kClaimVolume, {{"name", name}, {"claim", claim_name}});
  };
  std::string others;
  if (uses_host_paths(o)) {
    if (is_multi(o)) others += host("mydir", "/home/" + o.user);
    others += host("ceph", "/voyager/ceph/users/" + o.user);
  } else {
    others = claim("data", o.data_claim) + claim("ceph", o.results_claim);
  }
  return fill_template(kVolumes, {{"others", others}});
}

std::string mounts(const ManifestOptions& o) {
  const bool host = uses_host_paths(o);
  std::string data;
  if (!host || !makes_data(o)) {
    data = fill_template(kDataMount, {{"volume", host ? "ceph" : "data"},
                                      {"sub_path", host ? "subPath: datasets" : ""},
                                      {"read_only", makes_data(o) ? "" : "readOnly: true"}});
  }
  return fill_template(
      kMounts, {{"home", host && is_multi(o) ? std::string(kHomeMount) : ""}, {"data", data}});
}

struct Amounts {
  int64_t cpu = 12;
  std::string memory = "32Gi";
  int64_t cards = 0;
};

std::string device_amounts(const ManifestOptions& o, int64_t cards) {
  if (cards == 0 || o.device == "cpu") return "";
  if (o.device == "nvidia") return fmt::format("nvidia.com/gpu: {}", cards);
  return fmt::format("habana.ai/gaudi: {}\nhugepages-2Mi: 95000Mi", cards);
}

std::string resources(const ManifestOptions& o, const Amounts& amounts) {
  return fill_template(kResources, {{"cpu", fmt::to_string(amounts.cpu)},
                                    {"memory", amounts.memory},
                                    {"devices", device_amounts(o, amounts.cards)}});
}

std::string environment(const ManifestOptions& o) {
  std::string text = "env:  # edit these\n";
  const auto variable = [&](std::string_view name, const std::string& value) {
    text += fmt::format("  - name: {}\n    value: \"{}\"\n", name, value);
  };
  variable("dataset", std::string(kDataFolder));
  if (makes_data(o)) return text;
  if (o.device == "gaudi") {
    // SynapseAI and the cache of compiled graphs write here: the root file system is read-only.
    variable("HABANA_LOGS", "/scratch/habana_logs");
    variable("BERTHA_GAUDI_RECIPES", "/scratch/recipes");
  }
  const std::string folder = is_multi(o) ? fmt::format("{}cards", o.cards) : "1card";
  const bool infers = o.job == "inference";
  if (infers) variable("init_ckpt", "/ceph/results/bert_pytorch/8cards");
  variable("output",
           fmt::format("/ceph/results/bert_pytorch/{}{}", folder, infers ? "/inference" : ""));
  variable("dllog", fmt::format("/ceph/tmp/log_directory/{}", folder));
  if (infers || o.job == "ftuning") {
    variable("vocab", std::string(kDataFolder) + "/uncased_L-24_H-1024_A-16");
  }
  return text;
}

/// What Pods and MPIJobs have in common. The root file system of an MPIJob's containers is
/// writable, for sshd and the operator's keys.
TemplateValues common_values(const ManifestOptions& o) {
  return {{"namespace", o.name_space},
          {"image", o.image},
          {"grace_seconds", fmt::to_string(o.save_seconds + kSpareSeconds)},
          {"security", fill_template(kSecurity, {{"read_only", is_multi(o) ? "false" : "true"}})},
          {"volumes", volumes(o)},
          {"mounts", mounts(o)},
          {"environment", environment(o)}};
}

std::string pod(const ManifestOptions& o) {
  const bool data = makes_data(o);
  TemplateValues values = common_values(o);
  values["name"] = data ? "datagen" : "bert";
  values["resources"] = resources(o, {.memory = data ? "64Gi" : "32Gi", .cards = data ? 0 : 1});
  values["script"] = pod_script(o);
  return fill_template(kPod, values);
}

std::string mpi_job(const ManifestOptions& o) {
  const bool ssh = o.api == "v2beta1";
  TemplateValues values = common_values(o);
  values["api"] = o.api;
  values["user"] = o.user;
  values["cards"] = fmt::to_string(o.cards);
  values["cards_per_node"] = fmt::to_string(o.cards_per_node);
  values["workers"] = fmt::to_string(o.cards / o.cards_per_node);
  values["ssh_keys"] = ssh ? "sshAuthMountPath: /opt/mpiuser/.ssh" : "";
  values["ssh_server"] = ssh ? std::string(kSshServer) : "";
  values["launcher_resources"] = resources(o, {.cpu = 2, .memory = "4Gi"});
  values["worker_resources"] =
      resources(o, {.cpu = 95, .memory = "409Gi", .cards = o.cards_per_node});
  values["script"] = launcher_script(o);
  return fill_template(kMpiJob, values);
}

void check(const ManifestOptions& o) {
  const auto one_of = [](const char* name, const std::string& value,
                         const std::vector<std::string>& allowed) {
    if (std::ranges::find(allowed, value) == allowed.end()) {
      fail("--{} {}: expected {}", name, value, join(allowed, ", "));
    }
  };
  one_of("job", o.job, {"data_gen", "phase1", "phase2", "ftuning", "inference"});
  one_of("api", o.api, {"v2beta1", "v1"});
  one_of("device", o.device, {"nvidia", "gaudi", "cpu"});
  one_of("storage", o.storage, {"hostpath", "claims"});
  if (o.cards < 1 || o.cards_per_node < 1 || o.save_seconds < 1) {
    fail("--cards, --cards-per-node and --save-seconds must be at least 1");
  }
  if (is_multi(o) && o.cards % o.cards_per_node != 0) {
    fail("--cards {} is neither 1 nor a multiple of --cards-per-node {}", o.cards,
         o.cards_per_node);
  }
  if (is_multi(o) && (makes_data(o) || o.job == "inference")) {
    fail("--job {} runs on one device; --cards is {}", o.job, o.cards);
  }
}

}  // namespace

std::string render_manifest(const ManifestOptions& options) {
  check(options);
  return is_multi(options) ? mpi_job(options) : pod(options);
}

std::vector<NamedManifest> recipe_manifests(const ManifestOptions& options) {
  std::vector<NamedManifest> all;
  const auto add = [&](const char* path, const char* job, int64_t cards) {
    ManifestOptions own = options;
    own.job = job;
    own.cards = cards;
    all.push_back({path, own});
  };
  add("data_gen.yaml", "data_gen", 1);
  add("1card/bert_phase1_1card.yaml", "phase1", 1);
  add("1card/bert_inference_1card.yaml", "inference", 1);
  add("8cards/bert_phase1_8cards.yaml", "phase1", 8);
  add("8cards/bert_phase2_8cards.yaml", "phase2", 8);
  add("8cards/bert_ftuning_8cards.yaml", "ftuning", 8);
  add("32cards/bert_phase1_32cards.yaml", "phase1", 32);
  add("32cards/bert_phase2_32cards.yaml", "phase2", 32);
  return all;
}

}  // namespace bertha::k8s
