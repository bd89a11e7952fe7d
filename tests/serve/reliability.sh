#!/usr/bin/env bash
# The long forms of the server's reliability tests, whose figures are in docs/evidence/serving.md: minutes to
# hours. CI runs the short form of each.
#
# usage: tests/serve/reliability.sh [BUILD [PART…]]
#
# BUILD (build/release) is a build folder with tests. Parts, all by default:
#   parity     10,000 texts in every mixture of requests against lone ones; 10,000 texts in three units of places
#   overload   a minute at five times the peak; a flood of batches beside single questions
#   slow       1,000 slow clients; slowhttptest, where it is installed
#   clients    100,000 clients that leave at any byte; a process that is stopped for 10 seconds
#   rolling    100 times SIGTERM under load
#   soak       a million requests
#   openapi    schemathesis (PYTHON=… has it) on /openapi.json; promtool (PROMTOOL=…) on /metrics
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=${1:-build/release}
shift || true
readonly build work=build/reliability
readonly parts=("${@:-parity overload slow clients rolling soak openapi}")
mkdir -p "$work"
export BERTHA_LONG=1

server=
trap '[[ -z $server ]] || kill "$server" 2> /dev/null || true' EXIT

# program TEST…: tests of the server as a process, by the starts of their names.
program() {
  local filter="" name
  for name in "$@"; do filter+=":ServeProgram.$name*"; done
  "$build/test_cli" --gtest_brief=1 --gtest_filter="${filter#:}"
}

# start: a server with all models on a free port; sets `url`.
start() {
  python3 tests/serve/make_models.py "$work/models"
  local models=() model port
  for model in qa fill embed reviews names ranker; do
    models+=(--model "$model=$work/models/$model")
  done
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$build/bertha" serve "${models[@]}" --port "$port" --access-log off 2> "$work/server.log" &
  server=$!
  url=http://127.0.0.1:$port
  until curl --silent --fail --output /dev/null "$url/health"; do
    kill -0 "$server" || { cat "$work/server.log" >&2; exit 1; }
    sleep 0.2
  done
}

stop() {
  kill "$server"
  wait "$server"
  server=
}

parity() {
  "$build/test_serve" --gtest_brief=1 --gtest_filter='ServiceTest.EveryMixture*:TextPlaces.*'
}

overload() {
  program Overload AQuestion
}

slow() {
  program Slow
  command -v slowhttptest > /dev/null || { echo "slow: slowhttptest is not installed"; return 0; }
  start
  local kind
  for kind in -H -B -X; do  # header, body, answer
    slowhttptest "$kind" -c 500 -r 200 -i 2 -l 30 -u "$url/openapi.json" -p 2 2>&1 |
      grep -E 'test type|Exit status|service available' | tail -3
    curl --silent --fail --output /dev/null --write-out "slow: /health after $kind took %{time_total} s\n" "$url/health"
  done
  stop
}

clients() {
  program Clients AStopped
}

rolling() {
  program ATermUnderLoad
}

soak() {
  program ManyRequests
}

openapi() {
  start
  (cd "$work" && "${PYTHON:-python3}" -m schemathesis.cli run "$url/openapi.json" --url "$url" --seed 1 --workers 1 --no-color \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance --max-examples 30)
  # Some names are those of text-embeddings-inference, which do not follow the conventions of Prometheus.
  curl --silent "$url/metrics" | "${PROMTOOL:-promtool}" check metrics 2>&1 | grep -v '^te_.* suffix$' || echo "promtool: no other finding"
  stop
}

# shellcheck disable=SC2068
for part in ${parts[@]}; do
  printf '\n== %s\n' "$part"
  "$part"
done
