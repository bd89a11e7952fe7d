#include "k8s/k8s_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/strings.h"

namespace bertha::k8s {
namespace {

constexpr std::string_view kData = "/ceph/datasets/bert/pytorch";
constexpr std::string_view kShards =
    "_masked_lm_prob_0.15_random_seed_12345_dupe_factor_5/wikicorpus_en";
constexpr int64_t kSpareSeconds = 60;  // on top of the save: a step to finish, processes to end

/// YAML text, a line at a time.
class Text {
 public:
  template <typename... Args>
  void line(int indent, fmt::format_string<Args...> format, Args&&... args) {
    text_.append(static_cast<size_t>(indent), ' ');
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  /// Lines as they are, behind the indent.
  void block(int indent, std::string_view lines) {
    while (!lines.empty()) {
      const size_t end = lines.find('\n');
      line(lines.substr(0, end).empty() ? 0 : indent, "{}", lines.substr(0, end));
      lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

bool is_multi(const ManifestOptions& o) {
  return o.cards > 1;
}

/// Open MPI 4.1 waits twice this after a rank has died; ranks need 3 s of it to say which.
constexpr int64_t kKillSeconds = 4;
/// Open MPI's daemons notice after a minute, as the watchdog does, that a host is out of reach.
constexpr std::string_view kKeepAlive =
    "--mca oob_tcp_keepalive_time 20 --mca oob_tcp_keepalive_intvl 5 \\\n"
    "  --mca oob_tcp_keepalive_probes 8";

int64_t grace_seconds(const ManifestOptions& o) {
  return o.save_seconds + kSpareSeconds;
}

// ---- the program's command lines: the recipe's options, as its manifests give them ------------

std::vector<std::string> pretrain_command(const ManifestOptions& o) {
  const bool first = o.job == "phase1";
  std::vector<std::string> words = {"bertha pretrain",
                                    "--do_train",
                                    "--bert_model=bert-large-uncased",
                                    "--autocast",
                                    "--use_lazy_mode=True",
                                    "--config_file=$MODEL_PATH/bert_config.json",
                                    "--use_habana",
                                    "--allreduce_post_accumulation",
                                    "--allreduce_post_accumulation_fp16",
                                    "--json-summary=${dllog}/dllogger.json",
                                    "--output_dir=${output}",
                                    "--use_fused_lamb"};
  words.push_back(fmt::format("--input_dir=${{dataset}}/hdf5_lower_case_1_seq_len_{}_max_pred_{}{}",
                              first ? 128 : 512, first ? 20 : 80, kShards));
  words.emplace_back("--train_batch_size=8192");
  words.push_back(fmt::format("--max_seq_length={}", first ? 128 : 512));
  words.push_back(fmt::format("--max_predictions_per_seq={}", first ? 20 : 80));
  words.push_back(fmt::format("--warmup_proportion={}", first ? "0.2843" : "0.128"));
  words.emplace_back("--max_steps=10");
  words.emplace_back("--num_steps_per_checkpoint=5");
  words.push_back(fmt::format("--learning_rate={}", first ? "0.006" : "0.004"));
  words.push_back(fmt::format("--gradient_accumulation_steps={}", first ? 128 : 512));
  if (!first) {
    words.insert(words.end(), {"--resume_from_checkpoint", "--phase1_end_step=10", "--phase2"});
  }
  words.emplace_back("--enable_packed_data_mode=False");
  if (o.device != "cpu") words.emplace_back("--strict-device");
  return words;
}

std::vector<std::string> squad_command(const ManifestOptions& o) {
  std::vector<std::string> words = {"bertha squad",
                                    "--bert_model=bert-large-uncased",
                                    "--autocast",
                                    "--config_file=$MODEL_PATH/bert_config.json",
                                    "--use_habana",
                                    "--do_lower_case",
                                    "--output_dir=${output}",
                                    "--json-summary=${dllog}/dllogger.json"};
  if (o.job == "ftuning") {
    words.insert(
        words.end(),
        {"--do_train", "--use_fused_adam", "--train_batch_size=24", "--predict_batch_size=8",
         "--seed=1", "--max_seq_length=384", "--doc_stride=128", "--max_steps=-1",
         "--learning_rate=3e-5", "--num_train_epochs=2", "--init_checkpoint=${output}/ckpt_20.pt",
         "--train_file=${dataset}/squad/v1.1/train-v1.1.json", "--skip_cache", "--log_freq=20"});
  } else {
    words.insert(words.end(), {"--use_hpu_graphs", "--predict_batch_size=24",
                               "--init_checkpoint=${init_ckpt}/pytorch_model.bin"});
  }
  words.insert(words.end(), {"--vocab_file=${vocab}/vocab.txt", "--do_predict",
                             "--predict_file=${dataset}/squad/v1.1/dev-v1.1.json", "--do_eval",
                             "--eval_script=${dataset}/squad/v1.1/evaluate-v1.1.py"});
  if (o.device != "cpu") words.emplace_back("--strict-device");
  return words;
}

std::string command_line(const ManifestOptions& o, std::string_view indent) {
  const bool pretrains = o.job == "phase1" || o.job == "phase2";
  std::string text;
  for (const std::string& word : pretrains ? pretrain_command(o) : squad_command(o)) {
    if (!text.empty()) text += fmt::format(" \\\n{}", indent);
    text += word;
  }
  return text;
}

// ---- scripts that a container runs ------------------------------------------------------------

constexpr std::string_view kDataScript = R"(set -eu
export BERT_PREP_WORKING_DIR=$dataset
bertha download bert-large-uncased --output_dir="$dataset"
bertha download squad --output_dir="$dataset/squad"
exec bertha prepare
)";

std::string single_script(const ManifestOptions& o) {
  if (o.job == "data_gen") return std::string(kDataScript);
  // exec: the program is process 1 and gets Kubernetes' SIGTERM itself.
  return fmt::format("set -eu\nexport MODEL_PATH=/opt/bertha\nexec {}\n", command_line(o, "  "));
}

/// Workers may be slow to answer; a dead one must not keep the launcher waiting for ever.
constexpr std::string_view kWait = R"(deadline=$(($(date +%s) + 120))
until timeout --kill-after=5 30 mpirun --npernode 1 --allow-run-as-root --prefix $MPI_ROOT true; do
  if [ $(date +%s) -ge $deadline ]; then echo "the workers did not answer within 2 minutes"; exit 1; fi
  sleep 5
done
)";

std::string launcher_script(const ManifestOptions& o) {
  std::string text = fmt::format(
      "set -u\nexport HOME=/scratch/tmp\nmkdir -p $HOME\nNUM_NODES={}\nNGPU_PER_NODE={}\n"
      "N_CARDS=$((NUM_NODES*NGPU_PER_NODE))\nexport RUN_PATH=/opt/bertha/deploy/{}cards\n"
      "export MODEL_PATH=/opt/bertha\n\n{}\n",
      o.cards / o.cards_per_node, o.cards_per_node, o.cards, kWait);
  text +=
      "mpirun --npernode 1 --tag-output --allow-run-as-root --prefix $MPI_ROOT \\\n"
      "  -x MODEL_PATH -x HOME -x dataset -x output $RUN_PATH/setup.sh || exit 1\n\n";
  text += fmt::format("CMD=\"{}\"\n\n", command_line(o, "  "));
  text += fmt::format(
      "exec $MODEL_PATH/deploy/launch.sh \\\n"
      "mpirun -np ${{N_CARDS}} --allow-run-as-root --bind-to core \\\n"
      "  --map-by ppr:{}:socket:PE=6 -rank-by core --report-bindings \\\n"
      "  --tag-output --merge-stderr-to-stdout --prefix $MPI_ROOT \\\n"
      "  {} \\\n"
      "  --mca odls_base_sigkill_timeout {} -x OMP_NUM_THREADS=6 -x HOME \\\n  $CMD\n",
      std::max<int64_t>(o.cards_per_node / 2, 1), kKeepAlive, kKillSeconds);
  return text;
}

// ---- parts of a pod ---------------------------------------------------------------------------

void volumes(Text& text, int indent, const ManifestOptions& o) {
  const bool host = o.storage == "hostpath";
  const auto host_path = [&](std::string_view name, const std::string& path) {
    text.line(indent, "  - name: {}", name);
    text.line(indent, "    hostPath:");
    text.line(indent, "      path: {}", path);
    text.line(indent, "      type: Directory");
  };
  const auto claim = [&](std::string_view name, std::string_view of) {
    text.line(indent, "  - name: {}", name);
    text.line(indent, "    persistentVolumeClaim:");
    text.line(indent, "      claimName: {}", of);
  };
  text.line(indent, "volumes:");
  text.line(indent, "  - name: scratch");
  text.line(indent, "    emptyDir: {{}}");
  if (host) {
    if (is_multi(o)) host_path("mydir", "/home/" + o.user);
    host_path("ceph", "/voyager/ceph/users/" + o.user);
  } else {
    claim("data", o.data_claim);
    claim("ceph", o.results_claim);
  }
}

/// The results are written; the data lie over them, read-only except where they are made.
void mounts(Text& text, int indent, const ManifestOptions& o) {
  const bool host = o.storage == "hostpath";
  text.line(indent, "volumeMounts:");
  text.line(indent, "  - name: scratch");
  text.line(indent, "    mountPath: /scratch");
  if (host && is_multi(o)) {
    text.line(indent, "  - name: mydir");
    text.line(indent, "    mountPath: /home");
    text.line(indent, "    readOnly: true");
  }
  text.line(indent, "  - name: ceph");
  text.line(indent, "    mountPath: /ceph");
  if (host && o.job == "data_gen") return;
  text.line(indent, "  - name: {}", host ? "ceph" : "data");
  text.line(indent, "    mountPath: /ceph/datasets");
  if (host) text.line(indent, "    subPath: datasets");
  if (o.job != "data_gen") text.line(indent, "    readOnly: true");
}

struct Amounts {
  int64_t cpu = 12;
  std::string memory = "32Gi";
  int64_t cards = 0;
};

void resources(Text& text, int indent, const ManifestOptions& o, const Amounts& amounts) {
  text.line(indent, "resources:");
  for (const std::string_view kind : {"limits", "requests"}) {
    text.line(indent, "  {}:", kind);
    text.line(indent, "    cpu: {}", amounts.cpu);
    text.line(indent, "    memory: {}", amounts.memory);
    if (amounts.cards == 0 || o.device == "cpu") continue;
    text.line(indent, "    {}: {}", o.device == "gaudi" ? "habana.ai/gaudi" : "nvidia.com/gpu",
              amounts.cards);
    if (o.device == "gaudi") text.line(indent, "    hugepages-2Mi: 95000Mi");
  }
}

void environment(Text& text, int indent, const ManifestOptions& o) {
  text.line(indent, "env:  # edit these");
  const auto variable = [&](std::string_view name, const std::string& value) {
    text.line(indent, "  - name: {}", name);
    text.line(indent, "    value: \"{}\"", value);
  };
  variable("dataset", std::string(kData));
  if (o.job == "data_gen") return;
  const std::string folder = is_multi(o) ? fmt::format("{}cards", o.cards) : "1card";
  const bool infers = o.job == "inference";
  if (infers) variable("init_ckpt", "/ceph/results/bert_pytorch/8cards");
  variable("output",
           fmt::format("/ceph/results/bert_pytorch/{}{}", folder, infers ? "/inference" : ""));
  variable("dllog", fmt::format("/ceph/tmp/log_directory/{}", folder));
  if (infers || o.job == "ftuning") {
    variable("vocab", std::string(kData) + "/uncased_L-24_H-1024_A-16");
  }
}

/// SIGUSR1 saves and ends; what holds the pod together must live until that is done.
void save_before_end(Text& text, int indent, std::string_view process) {
  text.line(indent, "lifecycle:");
  text.line(indent, "  preStop:");
  text.line(indent, "    exec:");
  text.line(
      indent,
      "      command: [\"/bin/sh\", \"-c\", \"pkill -USR1 -x {0}; while pgrep -x {0}; do sleep "
      "1; done\"]",
      process);
}

void security(Text& text, int indent, bool root_file_system_is_written) {
  text.line(indent, "securityContext:");
  text.line(indent, "  runAsUser: 1000  # the image's user; build it with your number (id -u)");
  text.line(indent, "  runAsNonRoot: true");
  text.line(indent, "  readOnlyRootFilesystem: {}", !root_file_system_is_written);
  text.line(indent, "  allowPrivilegeEscalation: false");
  text.line(indent, "  capabilities:");
  text.line(indent, "    drop: [\"ALL\"]");
}

void script(Text& text, int indent, const std::string& lines) {
  text.line(indent, "command: [\"/bin/bash\", \"-c\"]");
  text.line(indent, "args:");
  text.line(indent, "  - |");
  text.block(indent + 4, lines);
}

void image(Text& text, int indent, const ManifestOptions& o, std::string_view name) {
  text.line(indent, "- name: {}", name);
  text.line(indent, "  image: {}", o.image);
}

std::string pod(const ManifestOptions& o) {
  Text text;
  const bool data = o.job == "data_gen";
  text.block(0, "apiVersion: v1\nkind: Pod\nmetadata:");
  text.line(2, "name: {}", data ? "datagen" : "bert");
  text.line(2, "namespace: {}", o.name_space);
  text.block(0, "spec:\n  restartPolicy: Never");
  text.line(2, "terminationGracePeriodSeconds: {}", grace_seconds(o));
  volumes(text, 2, o);
  text.line(2, "containers:");
  image(text, 4, o, "bertha");
  security(text, 6, false);
  mounts(text, 6, o);
  resources(text, 6, o, {.cpu = 12, .memory = data ? "64Gi" : "32Gi", .cards = data ? 0 : 1});
  environment(text, 6, o);
  script(text, 6, single_script(o));
  return text.take();
}

/// A replica of the job: its count and the head of its pod.
void replica(Text& text, const ManifestOptions& o, std::string_view name, int64_t count) {
  text.line(4, "{}:", name);
  text.line(6, "replicas: {}", count);
  text.block(6, "restartPolicy: Never\ntemplate:\n  spec:");
  text.line(10, "terminationGracePeriodSeconds: {}", grace_seconds(o));
}

void launcher(Text& text, const ManifestOptions& o) {
  replica(text, o, "Launcher", 1);
  volumes(text, 10, o);
  text.line(10, "containers:");
  image(text, 12, o, "bert-launcher");
  security(text, 14, true);
  mounts(text, 14, o);
  resources(text, 14, o, {.cpu = 2, .memory = "4Gi", .cards = 0});
  environment(text, 14, o);
  save_before_end(text, 14, "mpirun");
  script(text, 14, launcher_script(o));
}

/// Version 1 of the operator starts ranks through the cluster's own exec; version 2 needs sshd.
constexpr std::string_view kSshd =
    R"(command: ["/usr/sbin/sshd", "-De", "-f", "/opt/mpiuser/.sshd_config"]
readinessProbe:
  tcpSocket:
    port: 2222
  periodSeconds: 2)";

void workers(Text& text, const ManifestOptions& o) {
  replica(text, o, "Worker", o.cards / o.cards_per_node);
  text.line(10, "hostIPC: true");
  volumes(text, 10, o);
  text.line(10, "containers:");
  image(text, 12, o, "bert-worker");
  security(text, 14, true);
  if (o.api == "v2beta1") text.block(14, kSshd);
  mounts(text, 14, o);
  resources(text, 14, o, {.cpu = 95, .memory = "409Gi", .cards = o.cards_per_node});
  save_before_end(text, 14, "bertha");
}

std::string mpi_job(const ManifestOptions& o) {
  Text text;
  text.line(0, "apiVersion: kubeflow.org/{}", o.api);
  text.block(0, "kind: MPIJob\nmetadata:");
  text.line(2, "name: {}-bert-{}cards", o.user, o.cards);
  text.line(2, "namespace: {}", o.name_space);
  text.line(0, "spec:");
  text.line(2, "slotsPerWorker: {}", o.cards_per_node);
  if (o.api == "v2beta1") text.line(2, "sshAuthMountPath: /opt/mpiuser/.ssh");
  text.line(2, "runPolicy:");
  text.line(4, "cleanPodPolicy: Running");
  text.line(4, "backoffLimit: 3  # a launcher that ends is started again, and goes on");
  text.line(4, "ttlSecondsAfterFinished: 604800");
  text.line(2, "mpiReplicaSpecs:");
  launcher(text, o);
  workers(text, o);
  return text.take();
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
  if (is_multi(o) && (o.job == "data_gen" || o.job == "inference")) {
    fail("--job {} runs on one card; --cards is {}", o.job, o.cards);
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
