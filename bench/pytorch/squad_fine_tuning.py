#!/usr/bin/env python3
"""Fine-tunes BertForQuestionAnswering on SQuAD features: the peer of `bertha squad --do_train`.

    bertha squad features train-v1.1.json --vocab_file vocab.txt --training >features.jsonl
    squad_fine_tuning.py --model FOLDER --features features.jsonl --questions 30000 --output OUT

One epoch of Adam (fused; without bias correction, as the recipe's, unless --bias-correction asks for
it) with linear warm-up over a tenth of the steps and linear decay, dropout as
in the model's config unless --attention-dropout says otherwise: at 0 PyTorch's flash attention trains
three times as fast on a CPU as what it falls back to. Batches are drawn from runs of 50 batches sorted
by length and padded to the longest. The folder it leaves is scored with
`bertha squad --do_predict --do_eval --init_checkpoint OUT`, so that one scorer judges both.
Prints one JSON line.
"""

import argparse
import json
import math
import random
import time

import torch
import transformers

import common

BETAS = (0.9, 0.999)
SORTED_RUN = 50


def read_features(path, questions):
    """Features of the first `questions` examples, as (ids, segments, start, end)."""
    features = []
    with open(path) as file:
        for line in file:
            row = json.loads(line)
            if row["example_index"] >= questions:
                break
            features.append((row["input_ids"], row["segment_ids"], row["start_position"],
                             row["end_position"]))
    return features


def batches_of(features, batch, seed):
    """Shuffled, sorted by length within runs of SORTED_RUN batches, then shuffled by batch."""
    source = random.Random(seed)
    order = list(range(len(features)))
    source.shuffle(order)
    batches = []
    for begin in range(0, len(order), batch * SORTED_RUN):
        run = sorted(order[begin:begin + batch * SORTED_RUN], key=lambda i: len(features[i][0]))
        batches += common.in_batches(run, batch)
    source.shuffle(batches)
    return [[features[i] for i in rows] for rows in batches]


def tensors(rows):
    width = max(len(row[0]) for row in rows)
    padded = lambda values: torch.tensor([v + [0] * (width - len(v)) for v in values])
    return dict(input_ids=padded([row[0] for row in rows]),
                token_type_ids=padded([row[1] for row in rows]),
                attention_mask=padded([[1] * len(row[0]) for row in rows]),
                start_positions=torch.tensor([row[2] for row in rows]),
                end_positions=torch.tensor([row[3] for row in rows]))


def load(arguments):
    config = transformers.BertConfig.from_pretrained(arguments.model)
    if arguments.attention_dropout is not None:
        config.attention_probs_dropout_prob = arguments.attention_dropout
    return transformers.BertForQuestionAnswering.from_pretrained(arguments.model, config=config)


def make_schedule(optimizer, steps, bias_correction):
    """Linear warm-up and decay. Without bias correction the rate is multiplied by the factor that removes
    Adam's correction (the effect of epsilon is not removed)."""
    warmup = max(1, steps // 10)

    def factor(step):
        linear = min(step / warmup, (steps - step) / (steps - warmup))
        if bias_correction:
            return linear
        return linear * (1 - BETAS[0] ** (step + 1)) / math.sqrt(1 - BETAS[1] ** (step + 1))
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def train(model, batches, arguments):
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate, betas=BETAS,
                                 fused=True)
    schedule = make_schedule(optimizer, len(batches), arguments.bias_correction)
    model.train()
    recent = []
    for step, rows in enumerate(batches):
        with common.autocast(arguments.precision):
            loss = model(**tensors(rows)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        recent.append(loss.item())
        if (step + 1) % 50 == 0:
            print(f"step {step + 1} of {len(batches)}: loss {sum(recent[-50:]) / 50:.4f}", flush=True)
    return recent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of the weights to start from")
    parser.add_argument("--features", required=True, help="from bertha squad features --training")
    parser.add_argument("--output", required=True)
    parser.add_argument("--questions", type=int, default=30000)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--bias-correction", action="store_true")
    parser.add_argument("--attention-dropout", type=float,
                        help="in place of the config's attention_probs_dropout_prob")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    features = read_features(arguments.features, arguments.questions)
    batches = batches_of(features, arguments.batch, arguments.seed)
    model = load(arguments)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    losses = train(model, batches, arguments)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
    model.save_pretrained(arguments.output)
    print(json.dumps(dict(questions=arguments.questions, windows=len(features), steps=len(batches),
                          seconds=seconds, cpu_seconds=cpu_seconds,
                          windows_per_s=len(features) / seconds,
                          last_loss=sum(losses[-100:]) / 100)))


if __name__ == "__main__":
    main()
