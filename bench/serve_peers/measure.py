"""Measures servers in turn: `bertha serve` and its peers, one at a time, each with `bertha load`.

    measure.py BERTHA FOLDER MODEL RESULTS [--engines …] [--plan full|short] [--round N]

Appends a JSON object a line to RESULTS. Of each server: the time from its start to the first answer, peak
requests/s (16 clients that ask again at once), latency with one client, and latency at 50, 80, 100 and 200 % of
its own peak with requests at random times. Of all servers: the cosine of their first vector with that of
`bertha serve` in fp32 ("onnxruntime" if that is not measured).
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINES = ["bertha-fp32", "bertha-bf16", "onnxruntime", "openvino-fp32", "openvino-bf16", "fastembed"]
# Seconds of a point, and the shares of the peak that are measured, by length.
PLANS = {
    "full": {16: (1.5, (50, 80, 100, 200)), 128: (1.5, (50, 80, 100, 200)), 384: (2, (50, 80, 100, 200))},
    "short": {16: (2, ()), 128: (3.5, (50, 80, 100, 200)), 384: (4, ())},
    "overload": {128: (15, (200,))},
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, bertha, engine, folder):
        self.port = free_port()
        if engine.startswith("bertha-"):
            command = [bertha, "serve", "--model", f"m={folder}:embed", "--port", str(self.port), "--access-log=off",
                       "--precision", engine.removeprefix("bertha-"), "--drain-delay-s=0", "--log-level=warning"]
        else:
            command = [sys.executable, str(HERE / "embed_server.py"), engine, str(folder), str(self.port)]
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() - begin > 60:
                raise SystemExit(f"{engine}: does not start: {' '.join(command)}")
            time.sleep(0.005)
        self.start_seconds = time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def healthy(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def embed(self, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/embed", body.encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)[0]

    def status(self, field):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        return 0

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(bertha, server, bodies, seconds, rate=0.0, connections=1):
    command = [bertha, "load", f"http://127.0.0.1:{server.port}/embed", "--bodies", str(bodies), "--rate", f"{rate:.3f}",
               "--connections", str(connections), "--seconds", str(seconds), "--warm-seconds", "0.3"]
    before = server.cpu_seconds()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    report["cpu_seconds"] = round(server.cpu_seconds() - before, 3)
    return report


def cosine(left, right):
    dot = sum(a * b for a, b in zip(left, right))
    return dot / (sum(a * a for a in left) * sum(b * b for b in right)) ** 0.5


def points_of(bertha, server, bodies, seconds, shares):
    peak = load(bertha, server, bodies, seconds, connections=16)
    yield "peak", peak
    yield "unloaded", load(bertha, server, bodies, seconds)
    for share in shares:
        rate = peak["answered_per_second"] * share / 100
        yield f"{share}%", load(bertha, server, bodies, seconds, rate, 4096)


def main():
    parser = argparse.ArgumentParser()
    for name in ("bertha", "folder", "model", "results"):
        parser.add_argument(name)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--plan", choices=PLANS, default="full")
    parser.add_argument("--round", type=int, default=1)
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    body = (folder / "bodies_128.jsonl").read_text().splitlines()[0]
    first_vector = None
    with open(arguments.results, "a") as results:
        for engine in arguments.engines:
            with Server(arguments.bertha, engine, folder / arguments.model) as server:
                vector = server.embed(body)
                first_vector = first_vector or vector
                own = {"model": arguments.model, "engine": engine, "round": arguments.round}
                for length, (seconds, shares) in PLANS[arguments.plan].items():
                    bodies = folder / f"bodies_{length}.jsonl"
                    for point, report in points_of(arguments.bertha, server, bodies, seconds, shares):
                        point = point if arguments.plan != "overload" else f"overload {point}"
                        results.write(json.dumps({**own, "length": length, "point": point, **report}) + "\n")
                figures = {"start_seconds": server.start_seconds, "rss_mib": server.status("VmRSS"),
                           "peak_rss_mib": server.status("VmHWM"), "cosine": cosine(first_vector, vector)}
                results.write(json.dumps({**own, "point": "process", **figures}) + "\n")
                results.flush()


if __name__ == "__main__":
    main()
