#!/usr/bin/env python3
"""Makes squad_2x64.json with PyTorch and transformers; README.md says what it holds.

    make_squad_fixture.py --output FOLDER

Runs once, by hand: no test needs Python.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import transformers

from make_fixtures import initial_values, make_config

SEED = 303
STEPS = 50
TOTAL = 60
BATCH = 6
RATE = 3e-4
WINDOWS = 96


def table_order(layers):
    tables = ("word", "position", "token_type")
    names = [f"bert.embeddings.{table}_embeddings.weight" for table in tables]
    names += ["bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.bias"]
    parts = ["attention.self.query", "attention.self.key", "attention.self.value",
             "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense",
             "output.dense", "output.LayerNorm"]
    for layer in range(layers):
        names += [f"bert.encoder.layer.{layer}.{part}.{kind}" for part in parts
                  for kind in ("weight", "bias")]
    return names


def make_windows(vocabulary, rng):
    """A question of a few words; the answer is the stretch of the passage that they announce."""
    windows = []
    for _ in range(WINDOWS):
        question = int(rng.integers(1, 6))
        passage = int(rng.integers(1, 50))
        ids = [2, *rng.integers(5, vocabulary, size=question), 3,
               *rng.integers(5, vocabulary, size=passage), 3]
        first = question + 2 + int(rng.integers(0, passage))
        last = min(first + int(rng.integers(0, 4)), question + 1 + passage)
        if rng.random() < 0.1:
            first = last = 0
        windows.append({"ids": [int(i) for i in ids], "first_segment": question + 2,
                        "start": first, "end": last})
    return windows


def pad(windows):
    length = max(len(w["ids"]) for w in windows)
    ids = np.zeros((len(windows), length), np.int64)
    mask = np.zeros_like(ids)
    segments = np.zeros_like(ids)
    for row, window in enumerate(windows):
        count = len(window["ids"])
        ids[row, :count] = window["ids"]
        mask[row, :count] = 1
        segments[row, window["first_segment"]:count] = 1
    return [torch.from_numpy(x) for x in (ids, mask, segments)]


def rate_at(step):
    progress = (step + 1) / TOTAL
    return RATE * (progress / 0.1 if progress < 0.1 else max((progress - 1) / (0.1 - 1), 0))


def train(config, windows, dtype, each):
    torch.set_default_dtype(dtype)
    settings = transformers.BertConfig(**config, layer_norm_eps=1e-12, attn_implementation="eager")
    model = transformers.BertForQuestionAnswering(settings).to(dtype).train()
    named = dict(model.named_parameters())
    names = table_order(config["num_hidden_layers"]) + ["qa_outputs.weight", "qa_outputs.bias"]
    # The pooler, which transformers leaves out here, stands before the head in the table.
    numbers = list(range(len(names) - 2)) + [len(names), len(names) + 1]
    for number, name in zip(numbers, names):
        gain = name.endswith("LayerNorm.weight")
        values = initial_values(tuple(named[name].shape), number, gain, SEED)
        named[name].data.copy_(torch.from_numpy(values))
    moments = {name: [torch.zeros_like(p), torch.zeros_like(p)] for name, p in named.items()}
    losses = []
    for step in range(STEPS):
        batch = [windows[(step * BATCH + i) % WINDOWS] for i in range(BATCH)]
        ids, mask, segments = pad(batch)
        output = model(input_ids=ids, attention_mask=mask, token_type_ids=segments)
        loss = sum(torch.nn.functional.cross_entropy(
            logits.masked_fill(mask == 0, -1e30), torch.tensor([w[key] for w in batch]))
            for key, logits in (("start", output.start_logits), ("end", output.end_logits))) / 2
        losses.append(loss.item())
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for name, parameter in named.items():
            grad = parameter.grad
            if each:
                torch.nn.utils.clip_grad_norm_([parameter], 1.0)
                grad = parameter.grad
            first, second = moments[name]
            first.mul_(0.9).add_(grad, alpha=0.1)
            second.mul_(0.999).addcmul_(grad, grad, value=0.001)
            parameter.data.sub_(rate_at(step) * first / (second.sqrt() + 1e-6))
    logits = []
    model.eval()
    with torch.no_grad():
        for window in windows[:12]:
            output = model(*[x for x in pad([window])])
            logits.append([output.start_logits[0].tolist(), output.end_logits[0].tolist()])
    return losses, logits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    config = make_config(64, 2, 2, 128, 120)
    windows = make_windows(120, np.random.default_rng(SEED))
    result = {"config": config, "seed": SEED, "batch": BATCH, "rates": [rate_at(s) for s in range(STEPS)],
              "windows": windows}
    for each in (False, True):
        losses, logits = train(config, windows, torch.float64, each)
        result["each" if each else "global"] = {"losses": losses, "logits": logits}
    single, _ = train(config, windows, torch.float32, False)
    print("fp32 against fp64, worst relative loss:",
          max(abs(a / b - 1) for a, b in zip(single, result["global"]["losses"])))
    print("losses", result["global"]["losses"][0], result["global"]["losses"][-1])
    text = json.dumps(result)
    (arguments.output / "squad_2x64.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
