#!/bin/bash
# Phase 1 or 2 of pre-training, one rank on each GPU:
#
#   sbatch --nodes=1 pretrain.sh 1        8 GPUs
#   sbatch --nodes=4 pretrain.sh 2        32 GPUs, phase 2
#
# Two minutes before the end of the time limit, Slurm sends SIGUSR1. The job saves, ends with status 75
# and is queued again. The same command then continues where it stopped.
#SBATCH --job-name=bert
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=6
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -u

# Edit these.
dataset=${dataset:-$HOME/datasets/bert/pytorch}
output=${output:-$HOME/results/bert_pytorch/${SLURM_NTASKS}cards}
dllog=${dllog:-$HOME/tmp/log_directory/${SLURM_NTASKS}cards}
config=${config:-$HOME/bertha/deploy/bert_config.json}

phase=${1:-1}
shards=_masked_lm_prob_0.15_random_seed_12345_dupe_factor_5/wikicorpus_en
case $phase in
  1)
    options=(--input_dir="$dataset/hdf5_lower_case_1_seq_len_128_max_pred_20$shards"
      --max_seq_length=128 --max_predictions_per_seq=20 --warmup_proportion=0.2843
      --learning_rate=0.006 --gradient_accumulation_steps=128)
    ;;
  2)
    options=(--input_dir="$dataset/hdf5_lower_case_1_seq_len_512_max_pred_80$shards"
      --max_seq_length=512 --max_predictions_per_seq=80 --warmup_proportion=0.128
      --learning_rate=0.004 --gradient_accumulation_steps=512
      --resume_from_checkpoint --phase1_end_step=10 --phase2)
    ;;
  *)
    echo "usage: sbatch pretrain.sh 1|2" >&2
    exit 2
    ;;
esac

export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
srun --mpi=pmix --kill-on-bad-exit=1 bertha pretrain --do_train \
  --bert_model=bert-large-uncased --autocast --config_file="$config" --use_habana --strict-device \
  --allreduce_post_accumulation --allreduce_post_accumulation_fp16 --use_fused_lamb \
  --json-summary="$dllog/dllogger.json" --output_dir="$output" --train_batch_size=8192 \
  --max_steps=10 --num_steps_per_checkpoint=5 --enable_packed_data_mode=False "${options[@]}"
status=$?
[[ $status -ne 75 ]] || scontrol requeue "$SLURM_JOB_ID"
exit $status
