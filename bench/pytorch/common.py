"""What the PyTorch sides of the benchmarks share: models, lengths, padded batches, timing."""

import json
import os
import resource
import statistics
import time

import torch
import transformers

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 30528, "max_position_embeddings": 512}
LARGE = dict(BASE, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
             intermediate_size=4096)
MINILM = dict(BASE, hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
MODELS = {"base": BASE, "large": LARGE, "minilm": MINILM}
TAKEN = {*BASE, "hidden_dropout_prob", "attention_probs_dropout_prob"}
MASK_ID = 103
FIRST_WORD = 1000


def add_common_arguments(parser):
    parser.add_argument("--model", default="base",
                        help="base, large, minilm (6 layers of 384), or a config.json whose sizes "
                             "and dropout are taken")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32",
                        help="bf16 is torch.autocast over fp32 weights")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1)


def set_up(arguments):
    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(arguments.seed)


def model_config(name, vocabulary_floor=FIRST_WORD + 1):
    """A BertConfig with the fastest attention transformers has on the CPU."""
    if name in MODELS:
        sizes = MODELS[name]
    else:
        with open(name) as file:
            sizes = {key: value for key, value in json.load(file).items() if key in TAKEN}
    if sizes["vocab_size"] < vocabulary_floor:
        raise SystemExit(f"{name}: vocab_size must be at least {vocabulary_floor}")
    return transformers.BertConfig(**sizes, layer_norm_eps=1e-12, attn_implementation="sdpa")


def autocast(precision, device="cpu"):
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")


def read_lengths(path):
    """A JSON list of lengths, or a list of lists of them: the micro-batches."""
    with open(path) as file:
        return json.load(file)


def in_batches(lengths, batch):
    """Full batches of consecutive lengths; lists of lists are taken as they are."""
    if lengths and isinstance(lengths[0], list):
        return lengths
    return [lengths[i:i + batch] for i in range(0, len(lengths) - batch + 1, batch)]


def pad(lengths, width, vocabulary):
    """Random ids, segments and the attention mask; no mask where nothing is padded, so that the
    attention may take its path without one."""
    shape = (len(lengths), width)
    places = torch.arange(width).expand(shape)
    ends = torch.tensor(lengths)[:, None]
    inside = places < ends
    ids = torch.randint(FIRST_WORD, vocabulary, shape) * inside
    segments = ((places >= ends // 2) & inside).long()
    return {"input_ids": ids, "token_type_ids": segments,
            "attention_mask": None if bool(inside.all()) else inside.long()}


def measure(run, batches, warmup, steps):
    """Seconds of each of `steps` calls of run(batch), after `warmup`. The batches are used in turn."""
    seconds = []
    for step in range(warmup + steps):
        start = time.perf_counter()
        run(batches[step % len(batches)])
        seconds.append(time.perf_counter() - start)
    return seconds[warmup:]


def report(arguments, seconds, real_tokens, padded_tokens, **more):
    """One JSON line. Tokens are those of the measured steps; a real token is not padding."""
    total = sum(seconds)
    print(json.dumps({
        "peer": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "model": arguments.model, "precision": arguments.precision, "threads": arguments.threads,
        "steps": len(seconds), "tokens_per_s": real_tokens / total,
        "padded_tokens_per_s": padded_tokens / total,
        "real_share": real_tokens / padded_tokens,
        "step_s": statistics.median(seconds), "step_s_min": min(seconds),
        "step_s_max": max(seconds),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, **more}))
