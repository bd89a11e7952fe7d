#!/usr/bin/env python3
"""Question answering forward passes in PyTorch on a GPU, to compare with squad_bench --mode predict.

    bert_inference_cuda.py --model large --precision bf16 --batch 64 --lengths windows.json
    bert_inference_cuda.py --model large --precision bf16 --batch 1 --length 128 --mode compile

From tokens on the host to logits on the host; every window is padded to --length, as the recipe
predicts. Prints one JSON line; tokens_per_s counts real tokens.
"""

import argparse
import itertools

import torch
import transformers

import common


def make_runner(arguments, config):
    model = transformers.BertForQuestionAnswering(config).eval().to(arguments.device)
    if arguments.mode == "compile":
        model = torch.compile(model, mode="reduce-overhead")

    def run(batch):
        batch = {name: None if tensor is None else tensor.to(arguments.device)
                 for name, tensor in batch.items()}
        with torch.inference_mode(), common.autocast(arguments.precision, arguments.device):
            result = model(**batch)
            result.start_logits.cpu()
            result.end_logits.cpu()
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common.add_common_arguments(parser)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lengths", help="JSON: a list of lengths a batch; without it all are full")
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    common.set_up(arguments)
    config = common.model_config(arguments.model)
    rows = [[arguments.length] * arguments.batch]
    if arguments.lengths:
        rows = common.in_batches(common.read_lengths(arguments.lengths), arguments.batch)
    batches = [common.pad(row, arguments.length, config.vocab_size) for row in rows]
    seconds = common.measure(make_runner(arguments, config), batches, arguments.warmup,
                             arguments.steps)
    timed = list(itertools.islice(itertools.cycle(rows), arguments.warmup,
                                  arguments.warmup + arguments.steps))
    common.report(arguments, seconds, sum(map(sum, timed)),
                  sum(len(row) for row in timed) * arguments.length, length=arguments.length,
                  batch=arguments.batch, mode=arguments.mode)


if __name__ == "__main__":
    main()
