#!/usr/bin/env python3
"""Question answering in PyTorch or ONNX Runtime, prediction and fine-tuning: the peer of squad_bench.

    question_answering.py --lengths windows.json --order file
    question_answering.py --lengths windows.json --order sorted --precision bf16 --train
    question_answering.py --lengths windows.json --batch 8 --onnx model.onnx

--order file pads every window to --length, as the recipe does; --order sorted sorts the windows by
length and pads to the longest of a batch. --onnx takes a model with inputs input_ids, attention_mask
and token_type_ids. A batch of the longest windows warms up, then all windows go through once. Prints
one JSON line; tokens_per_s counts real tokens.
"""

import argparse
import time

import torch
import transformers

import common


def torch_runner(arguments, config):
    model = transformers.BertForQuestionAnswering(config).eval()

    def run(batch):
        with torch.inference_mode(), common.autocast(arguments.precision):
            model(**batch)
    return run


def training_runner(arguments, config):
    model = transformers.BertForQuestionAnswering(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-5, weight_decay=0.0, fused=True)

    def run(batch):
        ends = torch.full((batch["input_ids"].shape[0],), 7)
        with common.autocast(arguments.precision):
            loss = model(**batch, start_positions=ends - 2, end_positions=ends).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
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


def runner(arguments, config):
    if arguments.onnx:
        return onnx_runner(arguments)
    return training_runner(arguments, config) if arguments.train else torch_runner(arguments, config)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common.add_common_arguments(parser)
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--lengths", required=True, help="JSON list of window lengths")
    parser.add_argument("--order", choices=("file", "sorted"), default="file")
    parser.add_argument("--train", action="store_true", help="fine-tuning steps instead of prediction")
    parser.add_argument("--onnx", help="run this model in ONNX Runtime instead of PyTorch")
    arguments = parser.parse_args()
    common.set_up(arguments)
    config = common.model_config(arguments.model)
    lengths = common.read_lengths(arguments.lengths)
    if arguments.order == "sorted":
        lengths = sorted(lengths, reverse=True)
    rows = [lengths[i:i + arguments.batch] for i in range(0, len(lengths), arguments.batch)]
    widths = [arguments.length if arguments.order == "file" else max(row) for row in rows]
    batches = [common.pad(row, width, config.vocab_size) for row, width in zip(rows, widths)]
    run = runner(arguments, config)
    run(batches[0])
    begin_cpu = time.process_time()
    seconds = common.measure(run, batches, 0, len(batches))
    common.report(arguments, seconds, sum(lengths),
                  sum(len(row) * width for row, width in zip(rows, widths)),
                  length=arguments.length, batch=arguments.batch, order=arguments.order,
                  work="train" if arguments.train else "predict",
                  backend="onnxruntime" if arguments.onnx else "torch",
                  cpu_seconds=time.process_time() - begin_cpu,
                  windows_per_s=len(lengths) / sum(seconds))


if __name__ == "__main__":
    main()
