#!/usr/bin/env python3
"""A training step of BERT in PyTorch on a GPU, to compare with training_bench and squad_bench --device
cuda.

    bert_training_cuda.py --model large --length 128 --batch 64 --mode eager
    bert_training_cuda.py --model large --length 512 --batch 16 --mode compile
    bert_training_cuda.py --model large --length 384 --batch 32 --task squad

A step is forward and backward under bf16 autocast, dropout on, scaled-dot-product attention, global
clipping and fused AdamW. Sequences have the lengths given and are padded to --length. Prints one
JSON line; tokens_per_s counts real tokens.
"""

import argparse
import json
import statistics
import time

import torch
import transformers

import common
from bert_training import micro_batches, with_labels


def make_step(model, optimizer, arguments):
    def step(batch):
        with torch.autocast(arguments.device, dtype=torch.bfloat16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        return loss
    return step


def with_answers(inputs, lengths):
    """A random answer in each window."""
    def places():
        return torch.tensor([int(torch.randint(0, length, ())) for length in lengths])
    return dict(inputs, start_positions=places(), end_positions=places())


def make_batches(rows, arguments, config):
    """Padded batches on the device, with the labels of the task."""
    def labelled(row):
        inputs = common.pad(row, arguments.length, config.vocab_size)
        if arguments.task == "squad":
            return with_answers(inputs, row)
        return with_labels(inputs, row,
                           arguments.predictions or (20 if arguments.length <= 128 else 80))
    return [on_device(labelled(row), arguments.device) for row in rows]


def on_device(batch, device):
    return {name: None if tensor is None else tensor.to(device) for name, tensor in batch.items()}


def timed(step, batches, arguments):
    seconds = []
    for i in range(arguments.warmup + arguments.steps):
        start = time.perf_counter()
        loss = step(batches[i % len(batches)])
        loss.item()
        if arguments.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds[arguments.warmup:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common.add_common_arguments(parser)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--task", choices=("pretrain", "squad"), default="pretrain")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lengths", help="JSON: a list of lengths a micro-batch")
    parser.add_argument("--predictions", type=int)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    arguments.shards = None
    common.set_up(arguments)
    config = common.model_config(arguments.model)
    torch.backends.cuda.matmul.allow_tf32 = True
    kind = (transformers.BertForQuestionAnswering if arguments.task == "squad" else
            transformers.BertForPreTraining)
    model = kind(config).train().to(arguments.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    rows = micro_batches(arguments)
    batches = make_batches(rows, arguments, config)
    runner = torch.compile(model) if arguments.mode == "compile" else model
    seconds = timed(make_step(runner, optimizer, arguments), batches, arguments)
    tokens = statistics.mean(sum(row) for row in rows)
    step_s = statistics.median(seconds)
    print(json.dumps({"program": f"torch {torch.__version__} {arguments.mode}",
                      "length": arguments.length, "batch": arguments.batch, "step_s": step_s,
                      "sequences_per_s": arguments.batch / step_s,
                      "tokens_per_s": tokens / step_s}))


if __name__ == "__main__":
    main()
