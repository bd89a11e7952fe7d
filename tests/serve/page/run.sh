#!/usr/bin/env bash
# The page of `bertha serve` in a browser: starts two servers, one with a key, on small models of random
# weights, and runs page_test.py against them. Needs python3 with venv, and Chromium (Debian's package
# chromium, or CHROMIUM=program); fetches the pinned packages of requirements.txt into build/page.
#
# usage: tests/serve/page/run.sh [BERTHA [pytest options…]]
#
# BERTHA is the program to test, build/release/bertha by default. Screenshots go to build/page/pictures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

bertha=${1:-build/release/bertha}
shift || true
readonly bertha here=tests/serve/page work=build/page
[[ -x $bertha ]] || {
  echo "$0: $bertha is not a program; build it, or name one" >&2
  exit 1
}
mkdir -p "$work/pictures"
[[ -x $work/venv/bin/pytest ]] || {
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
}
python3 tests/serve/make_models.py "$work/models"
key=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
readonly key
(umask 077 && echo "$key" > "$work/keys")

servers=()
trap 'kill "${servers[@]}" 2> /dev/null || true' EXIT

# serve NAME [options…]: starts a server with all models on a free port, and sets `url` to its address.
serve() {
  local name=$1 port models=() model
  shift
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  for model in qa fill embed reviews names ranker; do
    models+=(--model "$model=$work/models/$model")
  done
  "$bertha" serve "${models[@]}" --host 127.0.0.1 --port "$port" "$@" 2> "$work/$name.log" &
  servers+=($!)
  url="http://127.0.0.1:$port/"
  for _ in $(seq 100); do
    if python3 -c "import urllib.request as u; u.urlopen('${url}health')" 2> /dev/null; then return; fi
    sleep 0.2
  done
  echo "$0: the server is not ready after 20 seconds:" >&2
  cat "$work/$name.log" >&2
  exit 1
}

serve open
export BERTHA_URL=$url
serve locked --api-key-file "$work/keys"
export BERTHA_KEY_URL=$url BERTHA_KEY=$key BERTHA_PICTURES=$work/pictures PYTHONDONTWRITEBYTECODE=1
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider "$here/page_test.py" "$@"
