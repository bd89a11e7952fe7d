#include "k8s/job_scripts.h"

#include <fmt/format.h>

#include <algorithm>

#include "k8s/text_template.h"

namespace bertha::k8s {
namespace {

// Command lines, one word a line, with the options that the recipe's manifests give.

constexpr std::string_view kPretrain = R"(bertha pretrain
--do_train
--bert_model=bert-large-uncased
--autocast
--use_lazy_mode=True
--config_file=$MODEL_PATH/bert_config.json
--use_habana
--allreduce_post_accumulation
--allreduce_post_accumulation_fp16
--json-summary=${dllog}/dllogger.json
--output_dir=${output}
--use_fused_lamb
--input_dir=${dataset}/hdf5_lower_case_1_seq_len_{{length}}_max_pred_{{predictions}}_masked_lm_prob_0.15_random_seed_12345_dupe_factor_5/wikicorpus_en
--train_batch_size=8192
--max_seq_length={{length}}
--max_predictions_per_seq={{predictions}}
--warmup_proportion={{warmup}}
--max_steps=10
--num_steps_per_checkpoint=5
--learning_rate={{rate}}
--gradient_accumulation_steps={{accumulation}}
{{resume}}
--enable_packed_data_mode=False
{{strict}}
)";

constexpr std::string_view kResume = R"(--resume_from_checkpoint
--phase1_end_step=10
--phase2
)";

constexpr std::string_view kSquad = R"(bertha squad
--bert_model=bert-large-uncased
--autocast
--config_file=$MODEL_PATH/bert_config.json
--use_habana
--do_lower_case
--output_dir=${output}
--json-summary=${dllog}/dllogger.json
{{task}}
--vocab_file=${vocab}/vocab.txt
--do_predict
--predict_file=${dataset}/squad/v1.1/dev-v1.1.json
--do_eval
--eval_script=${dataset}/squad/v1.1/evaluate-v1.1.py
{{strict}}
)";

constexpr std::string_view kFineTuning = R"(--do_train
--use_fused_adam
--train_batch_size=24
--predict_batch_size=8
--seed=1
--max_seq_length=384
--doc_stride=128
--max_steps=-1
--learning_rate=3e-5
--num_train_epochs=2
--init_checkpoint=${output}/ckpt_20.pt
--train_file=${dataset}/squad/v1.1/train-v1.1.json
--skip_cache
--log_freq=20
)";

constexpr std::string_view kInference = R"(--use_hpu_graphs
--predict_batch_size=24
--init_checkpoint=${init_ckpt}/pytorch_model.bin
)";

constexpr std::string_view kDataGeneration = R"(set -eu
export BERT_PREP_WORKING_DIR=$dataset
bertha download bert-large-uncased --output_dir="$dataset"
bertha download squad --output_dir="$dataset/squad"
exec bertha prepare --vocab_file="$dataset/uncased_L-24_H-1024_A-16/vocab.txt"
)";

// exec makes the program process 1 of the container, which receives SIGTERM from Kubernetes.
constexpr std::string_view kPod = R"(set -eu
export MODEL_PATH=/opt/bertha
exec {{command}}
)";

// The launcher waits two minutes for workers that start slowly. `timeout` ends an attempt that a
// dead worker would block for ever. With these keepalive times Open MPI's daemons notice within a
// minute that a host is out of reach, as the watchdog of the ranks does. The options are those that
// mpirun of Open MPI 4.1 and of 5 both take.
constexpr std::string_view kLauncher = R"(set -u
export HOME=/scratch/tmp
mkdir -p $HOME
NUM_NODES={{nodes}}
NGPU_PER_NODE={{cards_per_node}}
N_CARDS=$((NUM_NODES*NGPU_PER_NODE))
export RUN_PATH=/opt/bertha/deploy/{{cards}}cards
export MODEL_PATH=/opt/bertha

deadline=$(($(date +%s) + 120))
until timeout --kill-after=5 30 mpirun --npernode 1 --allow-run-as-root --prefix $MPI_ROOT true; do
  if [ $(date +%s) -ge $deadline ]; then echo "the workers did not answer within 2 minutes"; exit 1; fi
  sleep 5
done

mpirun --npernode 1 --tag-output --allow-run-as-root --prefix $MPI_ROOT \
  -x MODEL_PATH -x HOME -x dataset -x output $RUN_PATH/setup.sh || exit 1

CMD="{{command}}"

exec $MODEL_PATH/deploy/launch.sh \
mpirun -np ${N_CARDS} --allow-run-as-root --bind-to core \
  --map-by ppr:{{ranks_per_socket}}:socket:PE=6 --rank-by slot --report-bindings \
  --tag-output --merge-stderr-to-stdout --prefix $MPI_ROOT \
  --mca oob_tcp_keepalive_time 20 --mca oob_tcp_keepalive_intvl 5 \
  --mca oob_tcp_keepalive_probes 8 \
  --mca odls_base_sigkill_timeout {{kill_seconds}} -x OMP_NUM_THREADS=6 -x HOME {{device_variables}}\
  $CMD
)";

/// Open MPI 4.1 waits twice this time after a rank has died. The other ranks need 3 s of it to
/// report which rank it was. Open MPI 5 takes the option and ignores it.
constexpr int64_t kKillSeconds = 4;

std::string strict_option(const ManifestOptions& o) {
  return o.device == "cpu" ? "" : "--strict-device";
}

/// What SynapseAI reads on the workers: where its kernels are is set in the image, which the
/// launcher has too.
std::string device_variables(const ManifestOptions& o) {
  if (o.device != "gaudi") return "";
  return "-x LD_LIBRARY_PATH -x GC_KERNEL_PATH -x HABANA_LOGS -x BERTHA_GAUDI_RECIPES ";
}

std::string pretrain_words(const ManifestOptions& o) {
  const bool first = o.job == "phase1";
  return fill_template(kPretrain, {{"length", first ? "128" : "512"},
                                   {"predictions", first ? "20" : "80"},
                                   {"warmup", first ? "0.2843" : "0.128"},
                                   {"rate", first ? "0.006" : "0.004"},
                                   {"accumulation", first ? "128" : "512"},
                                   {"resume", first ? "" : std::string(kResume)},
                                   {"strict", strict_option(o)}});
}

std::string squad_words(const ManifestOptions& o) {
  const bool trains = o.job == "ftuning";
  return fill_template(kSquad, {{"task", std::string(trains ? kFineTuning : kInference)},
                                {"strict", strict_option(o)}});
}

/// The program's command line, a word a line, each but the last continued by a backslash.
std::string command_line(const ManifestOptions& o) {
  const bool pretrains = o.job == "phase1" || o.job == "phase2";
  std::string text;
  for_each_line(pretrains ? pretrain_words(o) : squad_words(o), [&](std::string_view word) {
    if (!text.empty()) text += " \\\n  ";
    text += word;
  });
  return text;
}

}  // namespace

std::string pod_script(const ManifestOptions& options) {
  if (options.job == "data_gen") return std::string(kDataGeneration);
  return fill_template(kPod, {{"command", command_line(options)}});
}

std::string launcher_script(const ManifestOptions& options) {
  const int64_t ranks_per_socket = std::max<int64_t>(options.cards_per_node / 2, 1);
  return fill_template(kLauncher,
                       {{"nodes", fmt::to_string(options.cards / options.cards_per_node)},
                        {"cards_per_node", fmt::to_string(options.cards_per_node)},
                        {"cards", fmt::to_string(options.cards)},
                        {"command", command_line(options)},
                        {"ranks_per_socket", fmt::to_string(ranks_per_socket)},
                        {"device_variables", device_variables(options)},
                        {"kill_seconds", fmt::to_string(kKillSeconds)}});
}

}  // namespace bertha::k8s
