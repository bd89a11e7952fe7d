#!/usr/bin/env python3
"""A training step of BertForPreTraining in PyTorch + transformers: to compare with bench/training_bench.

    bert_training.py --length 128 --batch 16 --precision bf16
    bert_training.py --length 512 --batch 4 --shards 'hdf5/*training*.hdf5' --padding longest

A step is forward, backward, global clipping and AdamW (fused) over one micro-batch, dropout on,
with scaled-dot-product attention. Without --lengths or --shards every sequence is full. With --mode
compile the model runs through torch.compile, which the first steps, the warm-up, wait for. Prints
one JSON line; tokens_per_s counts real tokens, never padding.
"""

import argparse
import glob
import itertools

import torch
import transformers

import common


def lengths_of_shards(pattern):
    """Real lengths of the rows of HDF5 shards, in file order."""
    import h5py
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise SystemExit(f"{pattern}: no such file")
    lengths = []
    for path in paths:
        with h5py.File(path) as file:
            lengths += file["input_mask"][:].astype(bool).sum(axis=1).tolist()
    return lengths


def micro_batches(arguments):
    if arguments.shards:
        return common.in_batches(lengths_of_shards(arguments.shards), arguments.batch)
    if arguments.lengths:
        return common.in_batches(common.read_lengths(arguments.lengths), arguments.batch)
    return [[arguments.length] * arguments.batch]


def with_labels(inputs, lengths, predictions):
    """15 % of the tokens, `predictions` a sequence at most, are masked and carry a label."""
    ids = inputs["input_ids"]
    labels = torch.full_like(ids, -100)
    for row, length in enumerate(lengths):
        count = min(predictions, max(1, round(0.15 * length)))
        places = torch.randperm(length)[:count]
        labels[row, places] = ids[row, places]
        ids[row, places] = common.MASK_ID
    return dict(inputs, labels=labels, next_sentence_label=torch.randint(0, 2, (len(lengths),)))


def make_step(model, optimizer, arguments):
    def step(batch):
        with common.autocast(arguments.precision):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step.loss = loss.item()
    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common.add_common_arguments(parser)
    parser.add_argument("--length", type=int, default=128, help="longest sequence; 128 or 512")
    parser.add_argument("--batch", type=int, default=16, help="sequences a micro-batch")
    parser.add_argument("--lengths", help="JSON: lengths, or a list of lengths a micro-batch")
    parser.add_argument("--shards", help="HDF5 shards (a pattern) whose real lengths are taken")
    parser.add_argument("--padding", choices=("full", "longest"), default="full")
    parser.add_argument("--predictions", type=int,
                        help="masked at most a sequence (20 to length 128, else 80)")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()
    common.set_up(arguments)
    config = common.model_config(arguments.model)
    model = transformers.BertForPreTraining(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    predictions = arguments.predictions or (20 if arguments.length <= 128 else 80)
    rows = micro_batches(arguments)[:arguments.warmup + arguments.steps]
    if not rows:
        raise SystemExit("fewer sequences than --batch")
    widths = [arguments.length if arguments.padding == "full" else max(row) for row in rows]
    batches = [with_labels(common.pad(row, width, config.vocab_size), row, predictions)
               for row, width in zip(rows, widths)]
    runner = torch.compile(model) if arguments.mode == "compile" else model
    step = make_step(runner, optimizer, arguments)
    seconds = common.measure(step, batches, arguments.warmup, arguments.steps)
    used = list(itertools.islice(itertools.cycle(range(len(rows))), arguments.warmup,
                                 arguments.warmup + arguments.steps))
    common.report(arguments, seconds, sum(sum(rows[i]) for i in used),
                  sum(len(rows[i]) * widths[i] for i in used), length=arguments.length,
                  batch=arguments.batch, padding=arguments.padding, mode=arguments.mode,
                  last_loss=step.loss)


if __name__ == "__main__":
    main()
