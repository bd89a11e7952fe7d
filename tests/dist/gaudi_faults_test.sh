#!/usr/bin/env bash
# A Gaudi that fails, by way of the stand-in for the vendor's library (tests/gaudi/standin): a launch, a
# copy, a graph that is refused, too little memory, a device that is lost, alone and on one of two ranks.
# Pre-training, fine-tuning and prediction end with one line. The last checkpoint is whole, nothing is left
# half-written, and the same command without the fault goes on to the bits of a run that met none.
source "$(dirname "$0")/common.sh"
export BERTHA_LIBSYNAPSE=$(dirname "$bertha")/synapse_standin/libSynapse.so
export BERTHA_GAUDI_RECIPES=0 BERTHA_STANDIN_DELAY_US=20
fixtures=$here/../tasks/fixtures/squad

# one_line NAME LOG PATTERN: the log has one line of an error, with the pattern. Lines of the stand-in say
# which fault it made.
one_line() {
  local errors
  errors=$(grep -v '^synapse stand-in' "$2" | grep -E '^(error|terminate)' || true)
  [[ $(wc -l <<< "$errors") -eq 1 ]] || die "$1: not one line of an error: $errors"
  grep -qE "^error: .*($3)" <<< "$errors" || die "$1: no \"$3\" in: $errors"
}

# One run without a fault; then from its third step, with each fault and without.
steps=(--device=gaudi --max_steps=100 --num_steps_per_checkpoint=3)
pretrain 1 whole "${steps[@]}" --steps_this_run=6 || die "pre-training failed"
pretrain 1 start "${steps[@]}" --steps_this_run=3 || die "pre-training failed"
while read -r name fault pattern; do
  cp -r "$work/start" "$work/$name"
  status=0
  BERTHA_STANDIN_FAULT=$fault pretrain 1 "$name" "${steps[@]}" --steps_this_run=6 || status=$?
  [[ $status -eq 1 ]] || die "$name: status $status in place of 1"
  one_line "$name" "$work/$name.log" "$pattern"
  "$tiny_job" whole "$work/$name"/ckpt_*.pt || die "$name: a damaged checkpoint"
  ! compgen -G "$work/$name/*tmp*" > /dev/null || die "$name: a file left aside"
  pretrain 1 "$name" "${steps[@]}" --steps_this_run=6 || die "$name: it does not go on"
  "$tiny_job" same "$work/whole/ckpt_6.pt" "$work/$name/ckpt_6.pt" || die "$name: other bits"
done << 'END'
launch launch=9 Gaudi: "[a-z -]+": synLaunch failed
copy copy=40 failed
lost device-lost=9 failed
refused compile=11 is refused by the compiler of .*asked again, it takes the graph
memory memory=4 more are needed
END

# Memory that is really short, not by a fault.
status=0
BERTHA_STANDIN_MEMORY_MB=1 pretrain 1 small "${steps[@]}" --steps_this_run=1 || status=$?
[[ $status -eq 1 ]] || die "1 MB: status $status in place of 1"
one_line small "$work/small.log" 'more are needed'

# Two ranks, of which one loses its device.
cat > "$work/second_fails.sh" << 'END'
#!/usr/bin/env bash
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
[[ $rank -ne 1 ]] || export BERTHA_STANDIN_FAULT=device-lost=9
exec "$@"
END
chmod +x "$work/second_fails.sh"
pretrain 2 ranks "${steps[@]}" --steps_this_run=3 || die "two ranks failed"
set_command 2 ranks "${steps[@]}" --steps_this_run=6 --watchdog-seconds=6
command=("${command[@]:0:2}" "$work/second_fails.sh" "${command[@]:2}")
status=0
timeout 90 "${command[@]}" > "$work/ranks_lost.log" 2>&1 || status=$?
[[ $status -ne 0 && $status -ne 124 ]] || die "a rank without its device: status $status"
grep -qE 'rank 1.*failed|failed.*rank 1' "$work/ranks_lost.log" || die "no line names the rank that lost its device"
"$tiny_job" whole "$work"/ranks/ckpt_*.pt || die "two ranks: a damaged checkpoint"
pretrain 2 ranks "${steps[@]}" --steps_this_run=6 || die "two ranks do not go on"

# Fine-tuning writes its model when it is done, and prediction its answers.
"$tiny_job" encoder "$work/encoder" "$fixtures/vocab.txt"
squad() {
  local output=$1
  shift
  "$bertha" squad --device=gaudi --do_train --do_predict --do_lower_case \
    --train_file="$fixtures/small.json" --predict_file="$fixtures/small.json" \
    --init_checkpoint="$work/encoder" --config_file="$work/encoder/config.json" \
    --vocab_file="$fixtures/vocab.txt" --output_dir="$work/$output" --max_seq_length=64 \
    --doc_stride=24 --max_query_length=16 --train_batch_size=8 --predict_batch_size=5 \
    --learning_rate=5e-3 --num_train_epochs=1 --use_fused_adam --disable_progress_bar "$@" \
    >> "$work/$output.log" 2>&1
}
squad tuned || die "fine-tuning failed"
for fault in launch=4 device-lost=4 memory=4; do
  name=squad_${fault%%=*}
  status=0
  BERTHA_STANDIN_FAULT=$fault squad "$name" || status=$?
  [[ $status -eq 1 ]] || die "$name: status $status in place of 1"
  one_line "$name" "$work/$name.log" 'failed|more are needed'
  [[ ! -e $work/$name/model.safetensors && ! -e $work/$name/predictions.json ]] ||
    die "$name: something was written"
  squad "$name" || die "$name: it does not go on"
  cmp -s "$work/tuned/model.safetensors" "$work/$name/model.safetensors" || die "$name: other bits"
done

ask() {
  "$bertha" ask --device=gaudi --checkpoint="$work/tuned" --passage='the river of the city' \
    --question='where ?' > "$work/$1.log" 2>&1
}
ask answered || die "prediction failed"
for fault in launch=1 device-lost=1 memory=2 copy=2; do
  name=ask_${fault%%=*}
  status=0
  BERTHA_STANDIN_FAULT=$fault ask "$name" || status=$?
  [[ $status -eq 1 ]] || die "$name: status $status in place of 1"
  one_line "$name" "$work/$name.log" 'failed|more are needed'
done
