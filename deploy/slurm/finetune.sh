#!/bin/bash
# Fine-tuning on SQuAD v1.1 and its evaluation, one rank on each GPU: sbatch --nodes=1 finetune.sh
#SBATCH --job-name=bert-squad
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=6
#SBATCH --time=04:00:00
set -u

# Edit these.
dataset=${dataset:-$HOME/datasets/bert/pytorch}
output=${output:-$HOME/results/bert_pytorch/${SLURM_NTASKS}cards}
dllog=${dllog:-$HOME/tmp/log_directory/${SLURM_NTASKS}cards}
vocab=${vocab:-$dataset/uncased_L-24_H-1024_A-16}
config=${config:-$HOME/bertha/deploy/bert_config.json}

export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
srun --mpi=pmix --kill-on-bad-exit=1 bertha squad --do_train --do_predict --do_eval \
  --bert_model=bert-large-uncased --autocast --config_file="$config" --use_habana --strict-device \
  --use_fused_adam --do_lower_case --output_dir="$output" --json-summary="$dllog/dllogger.json" \
  --train_batch_size=24 --predict_batch_size=8 --seed=1 --max_seq_length=384 --doc_stride=128 \
  --max_steps=-1 --learning_rate=3e-5 --num_train_epochs=2 --init_checkpoint="$output/ckpt_20.pt" \
  --vocab_file="$vocab/vocab.txt" --train_file="$dataset/squad/v1.1/train-v1.1.json" --skip_cache \
  --predict_file="$dataset/squad/v1.1/dev-v1.1.json" --log_freq=20
