#!/usr/bin/env bash
# The clients that people already have, against `bertha serve` on small models of random weights. Makes a
# virtual environment with the pinned clients of requirements.txt in build/clients (800 MB), and compares their
# values with those of the commands. Needs python3 with venv.
#
# usage: tests/clients/run.sh [--record] [BERTHA [pytest options…]]
#
# BERTHA is the program to test, build/release/bertha by default. --record writes the traffic anew to
# tests/serve/recorded, which the C++ tests replay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

record=
if [[ ${1:-} == --record ]]; then
  record=1
  shift
fi
bertha=${1:-build/release/bertha}
shift || true
readonly record bertha here=tests/clients work=build/clients recorded=tests/serve/recorded
[[ -x $bertha ]] || {
  echo "$0: $bertha is not a program; build it, or name one" >&2
  exit 1
}
mkdir -p "$work"
[[ -x $work/venv/bin/pytest ]] || {
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
}
python3 tests/serve/make_models.py "$work/models"
key=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
readonly key
(umask 077 && echo "$key" > "$work/keys")

started=()
trap 'kill "${started[@]}" 2> /dev/null || true' EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for() {  # URL LOG
  for _ in $(seq 100); do
    if python3 -c "import urllib.request as u; u.urlopen('$1')" 2> /dev/null; then return; fi
    sleep 0.2
  done
  echo "$0: the server is not ready after 20 seconds:" >&2
  cat "$2" >&2
  exit 1
}

# serve NAME "MODELS" [options…]: starts a server on a free port, with a recording proxy before it where
# --record asks for that. Sets `url` to the address that clients use.
serve() {
  local name=$1 port models=() model
  port=$(free_port)
  for model in $2; do
    models+=(--model "$model=$work/models/$model")
  done
  shift 2
  "$bertha" serve "${models[@]}" --host 127.0.0.1 --port "$port" "$@" 2> "$work/$name.log" &
  started+=($!)
  wait_for "http://127.0.0.1:$port/health" "$work/$name.log"
  if [[ -n $record && $name != locked ]]; then
    local front
    front=$(free_port)
    python3 "$here/recording_proxy.py" "$front" "$port" "$name" "$recorded" &
    started+=($!)
    wait_for "http://127.0.0.1:$front/health" "$work/$name.log"
    port=$front
  fi
  url="http://127.0.0.1:$port/"
}

if [[ -n $record ]]; then
  mkdir -p "$recorded"
  rm -f "$recorded"/*.http
fi
serve all "qa fill embed reviews names ranker"
export BERTHA_URL=$url
serve embed embed
export BERTHA_EMBED_URL=$url
serve ranker ranker
export BERTHA_RANKER_URL=$url
serve locked embed --api-key-file "$work/keys"
export BERTHA_KEY_URL=$url BERTHA_KEY=$key BERTHA=$bertha BERTHA_MODELS=$work/models BERTHA_RECORD=$record
export HAYSTACK_TELEMETRY_ENABLED=False ANONYMIZED_TELEMETRY=False DO_NOT_TRACK=1 PYTHONDONTWRITEBYTECODE=1
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider "$here/clients_test.py" "$@"
