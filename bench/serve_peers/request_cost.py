"""What a request costs `bertha serve` beside the model: HTTP, JSON, tokenizing, queue and the answer's JSON.

    request_cost.py BERTHA FOLDER

The CPU time of the threads that are not lanes, the system's share of the sockets included. Lanes and what they
start are the threads with a lower priority than the process. FOLDER is that of make_inputs.py.
"""

import itertools
import json
import os
import sys
import urllib.request
from pathlib import Path

from measure import Server, load

RATES = (100, 250)  # requests a second


def metric(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise SystemExit(f"the server has no metric {name}")


def cpu_seconds(server):
    """Of the threads beside the lanes, and of the lanes."""
    beside = lanes = 0
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        seconds = int((task / "schedstat").read_text().split()[0]) * 1e-9
        niceness = int((task / "stat").read_text().rsplit(")", 1)[1].split()[16])
        if niceness > os.getpriority(os.PRIO_PROCESS, 0):
            lanes += seconds
        else:
            beside += seconds
    return beside, lanes


def figures(server):
    return [*cpu_seconds(server), metric(server, "te_request_tokenization_duration_sum"),
            metric(server, "te_embed_success")]


def one_layer(folder):
    """all-MiniLM-L6-v2 with one of its layers: its vectors have the same size, and the load costs less."""
    thin = folder / "one_layer"
    thin.mkdir(exist_ok=True)
    for path in (folder / "minilm").iterdir():
        if path.name != "config.json" and not (thin / path.name).exists():
            (thin / path.name).symlink_to(path.resolve())
    config = json.loads((folder / "minilm" / "config.json").read_text())
    (thin / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    return thin


def main(bertha, folder):
    folder = Path(folder)
    with Server(bertha, "bertha-bf16", one_layer(folder)) as server:
        for rate, length in itertools.product(RATES, (16, 128, 384)):
            bodies = folder / f"bodies_{length}.jsonl"
            load(bertha, server, bodies, 1, rate, 64)
            before = figures(server)
            load(bertha, server, bodies, 8, rate, 64)
            beside, lanes, tokenize, requests = (late - early for early, late in zip(before, figures(server)))
            print(f"{rate} a second, {length} tokens: {1e6 * beside / requests:.0f} us beside the model "
                  f"(tokenizing, by the clock: {1e6 * tokenize / requests:.0f} us), {requests:.0f} requests")


if __name__ == "__main__":
    main(*sys.argv[1:])
