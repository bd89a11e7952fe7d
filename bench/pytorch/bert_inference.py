#!/usr/bin/env python3
"""Question answering forward passes in PyTorch or ONNX Runtime: the peer of bench/bert_inference.

    bert_inference.py --length 384 --batch 24 --lengths windows.json --order sorted
    bert_inference.py --length 384 --batch 8 --onnx model.onnx

--order file pads every window to --length, as the recipe predicts; --order sorted sorts the windows
by length and pads to the longest of a batch. --onnx takes a model with inputs input_ids,
attention_mask and token_type_ids. Prints one JSON line; tokens_per_s counts real tokens.
"""

import argparse
import itertools

import torch
import transformers

import common


def windows(arguments):
    if not arguments.lengths:
        return [[arguments.length] * arguments.batch]
    lengths = common.read_lengths(arguments.lengths)
    if arguments.order == "sorted":
        lengths = sorted(lengths)
    rows = common.in_batches(lengths, arguments.batch)
    # A sample over the whole range, not the shortest windows alone.
    count = arguments.warmup + arguments.steps
    return rows[::max(1, len(rows) // count)][:count]


def torch_runner(arguments, config):
    model = transformers.BertForQuestionAnswering(config).eval()

    def run(batch):
        with torch.inference_mode(), common.autocast(arguments.precision):
            model(**batch)
    return run


def onnx_runner(arguments):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(arguments.onnx, options,
                                           providers=["CPUExecutionProvider"])
    names = {entry.name for entry in session.get_inputs()}

    def run(batch):
        feeds = {name: batch[name] for name in names}
        if feeds.get("attention_mask", True) is None:
            feeds["attention_mask"] = torch.ones_like(batch["input_ids"])
        session.run(None, {name: tensor.numpy() for name, tensor in feeds.items()})
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common.add_common_arguments(parser)
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--lengths", help="JSON list of window lengths; without it all are full")
    parser.add_argument("--order", choices=("file", "sorted"), default="file")
    parser.add_argument("--onnx", help="run this model in ONNX Runtime instead of PyTorch")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    common.set_up(arguments)
    config = common.model_config(arguments.model)
    rows = windows(arguments)
    widths = [arguments.length if arguments.order == "file" else max(row) for row in rows]
    batches = [common.pad(row, width, config.vocab_size) for row, width in zip(rows, widths)]
    run = onnx_runner(arguments) if arguments.onnx else torch_runner(arguments, config)
    seconds = common.measure(run, batches, arguments.warmup, arguments.steps)
    used = list(itertools.islice(itertools.cycle(range(len(rows))), arguments.warmup,
                                 arguments.warmup + arguments.steps))
    common.report(arguments, seconds, sum(sum(rows[i]) for i in used),
                  sum(len(rows[i]) * widths[i] for i in used), length=arguments.length,
                  batch=arguments.batch, order=arguments.order,
                  backend="onnxruntime" if arguments.onnx else "torch",
                  windows_per_s=sum(len(rows[i]) for i in used) / sum(seconds))


if __name__ == "__main__":
    main()
