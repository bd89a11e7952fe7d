#!/bin/sh
# Run once on each worker before training: ends with a line when a node cannot do its part, so that
# a job of many nodes fails in seconds and says where. It installs nothing.
set -u
host=$(hostname)
refuse() {
  echo "$host: $*" >&2
  exit 1
}

bertha --version || refuse "bertha does not run in this image"
[ -r "$MODEL_PATH/bert_config.json" ] || refuse "$MODEL_PATH/bert_config.json cannot be read"
[ -d "$dataset" ] || refuse "the dataset folder $dataset is not mounted"
mkdir -p "$output" || refuse "$output cannot be made"
probe="$output/.write_probe_$host"
(: > "$probe") 2> /dev/null || refuse "$output cannot be written by user $(id -u)"
rm -f "$probe"
mkdir -p "$HOME"
if command -v nvidia-smi > /dev/null; then
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
fi
echo "$host: ready"
