#!/usr/bin/env python3
"""Forward passes of one encoder in bertha, ONNX Runtime and OpenVINO, in turn, with their accuracy.

    inference_peers.py MODEL --bertha build/release/bertha --bench build/release/bench/squad_bench

MODEL is a folder that `bertha convert` reads, or "base" for BERT-Base with random weights. Each round
runs every engine at every size for --seconds; the table has the median over the rounds, the least and
the most. The int8 of ONNX Runtime is its dynamic quantization, that of OpenVINO is NNCF's with
--calibration texts. The cosine is that of mean-pooled vectors to those of ONNX Runtime in fp32, over
--texts (the mean and the least); it says nothing for random weights.

With --busy NICENESS one process that computes without end shares the processor with every engine.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import transformers

import common

def onnx_session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(["last_hidden_state"], feeds)[0]


def quantize_onnx(path, to):
    import onnxruntime.quantization as quantization
    quantization.quantize_dynamic(path, to, weight_type=quantization.QuantType.QInt8,
                                  per_channel=True)
    return to


def openvino_request(path, threads, precision, calibration):
    import openvino
    model = openvino.Core().read_model(path)
    if precision == "int8":
        import nncf
        nncf.set_log_level("ERROR")
        model = nncf.quantize(model, nncf.Dataset(calibration), subset_size=len(calibration),
                              model_type=nncf.ModelType.TRANSFORMER)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda feeds: request.infer(feeds)["last_hidden_state"].copy()


def feeds_of(batch, length, vocabulary=30000):
    generator = numpy.random.default_rng(1)
    ids = generator.integers(1000, vocabulary, (batch, length))
    return {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids)}


def feeds_of_texts(tokenizer, texts):
    made = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="np")
    return {name: made[name].astype(numpy.int64)
            for name in ("input_ids", "attention_mask", "token_type_ids")}


def vectors(run, tokenizer, texts):
    """Mean-pooled, of length 1; texts of similar length run together."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    result = [None] * len(texts)
    for begin in range(0, len(order), 32):
        part = order[begin:begin + 32]
        feeds = feeds_of_texts(tokenizer, [texts[i] for i in part])
        mask = feeds["attention_mask"][:, :, None]
        pooled = (run(feeds) * mask).sum(1) / mask.sum(1)
        for i, row in zip(part, pooled):
            result[i] = row / numpy.linalg.norm(row)
    return numpy.stack(result)


class Bertha:
    """Runs our benches and the program as processes."""

    def __init__(self, arguments, config, work):
        self.arguments, self.config, self.work = arguments, config, work

    def seconds(self, precision, batch, length, passes):
        lengths = os.path.join(self.work, "lengths.json")
        with open(lengths, "w") as file:
            json.dump([length] * (batch * passes), file)
        line = subprocess.run(
            [self.arguments.bench, "--mode", "predict", "--config", self.config, "--precision",
             precision, "--batch", str(batch), "--lengths", lengths], check=True,
            capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS=str(
                self.arguments.threads))).stdout
        return json.loads(line)["step_s"]

    def vectors(self, precision, model, texts):
        path = os.path.join(self.work, "texts.txt")
        with open(path, "w") as file:
            file.write("".join(text + "\n" for text in texts))
        made = os.path.join(self.work, precision + ".npy")
        subprocess.run([self.arguments.bertha, "embed", "--checkpoint", model, "--input", path,
                        "--output", made, "--precision", precision, "--max-seq-length", "256",
                        "--pooling", "mean", "--normalize", "true"], check=True,
                       capture_output=True)
        return numpy.load(made)


def peer_seconds(run, feeds, seconds):
    """The median of passes within this time; the first one warms up."""
    run(feeds)
    taken = []
    while sum(taken) < seconds or len(taken) < 3:
        begin = time.perf_counter()
        run(feeds)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


@contextlib.contextmanager
def busy_process(niceness):
    """A process of a session of its own, as another user's would be; none without a niceness."""
    if niceness is None:
        yield
        return
    process = subprocess.Popen(["nice", "-n", str(niceness), "sh", "-c", "while :; do :; done"],
                               start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def random_base(folder):
    config = transformers.BertConfig(**dict(common.BASE, vocab_size=30522))
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def peers_of(arguments, onnx, calibration):
    peers = {"ONNX Runtime fp32": onnx_session(onnx, arguments.threads),
             "ONNX Runtime int8": onnx_session(quantize_onnx(onnx, onnx + ".int8"),
                                               arguments.threads)}
    for precision in ("fp32", "bf16", "int8"):
        peers[f"OpenVINO {precision}"] = openvino_request(onnx, arguments.threads, precision,
                                                          calibration)
    return peers


def measure(arguments, ours, peers):
    """Windows a second by engine and size, one figure a round. Each round is noted at its end, so
    that a run which is stopped has not run for nothing."""
    rates = {}
    for number in range(arguments.rounds):
        if number > 0:
            print(f"after {number} rounds\n{table(arguments.sizes, rates, {})}", file=sys.stderr,
                  flush=True)
        for batch, length in arguments.sizes:
            feeds = feeds_of(batch, length)
            for name, run in peers.items():
                taken = peer_seconds(run, feeds, arguments.seconds)
                rates.setdefault((name, batch, length), []).append(batch / taken)
            for precision in ("fp32", "bf16", "int8"):
                name = f"bertha {precision}"
                known = rates.get((name, batch, length))
                passes = int(arguments.seconds * known[-1] / batch) + 3 if known else 6
                taken = ours.seconds(precision, batch, length, passes)
                rates.setdefault((name, batch, length), []).append(batch / taken)
    return rates


def accuracy(arguments, ours, peers, model, tokenizer):
    if not arguments.texts:
        return {}
    with open(arguments.texts) as file:
        texts = [line.rstrip("\n") for line in file][:arguments.most_texts]
    exact = vectors(peers["ONNX Runtime fp32"], tokenizer, texts)
    found = {name: vectors(run, tokenizer, texts) for name, run in peers.items()}
    for precision in ("fp32", "bf16", "int8"):
        found[f"bertha {precision}"] = ours.vectors(precision, model, texts)
    return {name: (exact * rows).sum(1) for name, rows in found.items()}


def table(sizes, rates, cosines):
    lines = ["engine              " + "".join(f"{f'{b} x {l}':>26}" for b, l in sizes) + "   cosine"]
    for name in dict.fromkeys(key[0] for key in rates):
        cells = [rates[name, batch, length] for batch, length in sizes]
        text = "".join(f"{statistics.median(c):.2f} ({min(c):.1f}-{max(c):.1f})".rjust(26)
                       for c in cells)
        cosine = f"   {cosines[name].mean():.5f} {cosines[name].min():.5f}" if name in cosines else ""
        lines.append(f"{name:<20}{text}{cosine}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--bertha", required=True)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sizes", default="1x16,1x128,8x384", help="windows x tokens",
                        type=lambda typed: [tuple(map(int, one.split("x")))
                                            for one in typed.split(",")])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--busy", type=int, metavar="NICENESS",
                        help="beside a busy process of this niceness")
    parser.add_argument("--texts", help="a text on each line, for the accuracy")
    parser.add_argument("--most-texts", type=int, default=2000)
    parser.add_argument("--calibration", help="a text on each line, for NNCF; without it random tokens")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        model = random_base(os.path.join(work, "base")) if arguments.model == "base" else arguments.model
        onnx = os.path.join(work, "model.onnx")
        subprocess.run([arguments.bertha, "convert", model, onnx], check=True, capture_output=True)
        tokenizer = None if arguments.model == "base" else transformers.AutoTokenizer.from_pretrained(model)
        calibration = [feeds_of(1, length) for length in (16, 64, 128, 256)]
        if arguments.calibration:
            with open(arguments.calibration) as file:
                calibration = [feeds_of_texts(tokenizer, [line.rstrip("\n")])
                               for line in list(file)[:100]]
        peers = peers_of(arguments, onnx, calibration)
        ours = Bertha(arguments, os.path.join(model, "config.json"), work)
        with busy_process(arguments.busy):
            rates = measure(arguments, ours, peers)
        cosines = accuracy(arguments, ours, peers, model, tokenizer)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}"
                         for name in ("onnxruntime", "openvino", "nncf"))
    print(f"{arguments.model}: {arguments.threads} threads, {arguments.rounds} rounds; {versions}",
          file=sys.stderr)
    print(table(arguments.sizes, rates, cosines))


if __name__ == "__main__":
    main()
