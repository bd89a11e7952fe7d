"""What a request costs `bertha serve` beside the model: HTTP, JSON, tokenizing, queue and the answer's JSON.

    request_cost.py BERTHA FOLDER

The server computes with one thread that does not spin, so that the CPU time of the process less the time in
which the lane computes is all the rest. The system's share of sockets is in it. FOLDER is that of make_inputs.py.
"""

import os
import sys
import urllib.request
from pathlib import Path

from measure import Server, load


def metric(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise SystemExit(f"the server has no metric {name}")


def figures(server):
    return [metric(server, name) for name in ("process_cpu_seconds_total", "bertha_lane_busy_seconds_total",
                                               "te_request_tokenization_duration_sum", "te_embed_success")]


def main(bertha, folder):
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
    with Server(bertha, "bertha-bf16", Path(folder) / "minilm") as server:
        for length in (16, 128, 384):
            bodies = Path(folder) / f"bodies_{length}.jsonl"
            peak = load(bertha, server, bodies, 2, connections=8)
            before = figures(server)
            load(bertha, server, bodies, 4, peak["answered_per_second"] / 2, 64)
            after = figures(server)
            cpu, lane, tokenize, requests = (late - early for early, late in zip(before, after))
            print(f"{length:4} tokens: {1e6 * (cpu - lane) / requests:6.0f} us beside the model, of which tokenizing "
                  f"{1e6 * tokenize / requests:4.0f} us; the model {1e6 * lane / requests:8.0f} us ({requests:.0f} requests)")


if __name__ == "__main__":
    main(*sys.argv[1:])
