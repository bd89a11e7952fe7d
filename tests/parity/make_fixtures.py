#!/usr/bin/env python3
"""Makes the fixtures of this folder with PyTorch and transformers; README.md says what they hold.

    make_fixtures.py --recipe FOLDER --output FOLDER

--recipe is PyTorch/nlp/bert of HabanaAI/Model-References 1.11.0; its lamb.py and schedulers.py are
imported as they are and give the twenty LAMB steps. Runs once, by hand: no test needs Python.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import torch
import transformers

PROJECTIONS = 32
STEPS = 20
MASK_ID = 4
FIRST_WORD = 5
SHAPES = {
    # name: hidden, layers, heads, intermediate, vocabulary, seed, lengths of the training batches
    "2x128": (128, 2, 2, 512, 200, 101,
              [[3, 60, 17, 31, 45, 8], [22, 5, 58, 40], [12, 33, 60, 3, 27, 19, 50], [36, 41, 9]]),
    "3x96": (96, 3, 3, 200, 160, 202,
             [[59, 3, 25, 38, 11], [47, 13, 29, 60, 4, 16, 35], [21, 52, 7, 30],
              [3, 44, 18, 57, 26, 9]]),
}
MIXED_LENGTHS = [1, 512, 2, 3, 17, 64, 128, 129, 333, 511]


def philox(counter, key):
    """Philox 4x32-10 on arrays: counter uint64 [4, n] holding 32-bit words, key an integer."""
    mask = np.uint64(0xFFFFFFFF)
    c = [np.asarray(word, dtype=np.uint64) for word in counter]
    key0, key1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        product0 = np.uint64(0xD2511F53) * c[0]
        product1 = np.uint64(0xCD9E8D57) * c[2]
        shift = np.uint64(32)
        c = [(product1 >> shift) ^ c[1] ^ np.uint64(key0), product1 & mask,
             (product0 >> shift) ^ c[3] ^ np.uint64(key1), product0 & mask]
        key0 = (key0 + 0x9E3779B9) & 0xFFFFFFFF
        key1 = (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def words_of(size, tensor, purpose, seed):
    """First word of philox({index low, index high, tensor, purpose}, seed) for every index."""
    index = np.arange(size, dtype=np.uint64)
    fill = np.zeros(size, dtype=np.uint64)
    counter = [index & np.uint64(0xFFFFFFFF), index >> np.uint64(32), fill + np.uint64(tensor),
               fill + np.uint64(purpose)]
    return philox(counter, seed)[0]


def initial_values(shape, tensor, is_gain, seed):
    """Uniform in [-1/8, 1/8), exact in float; a LayerNorm gain is 1 + that."""
    words = words_of(int(np.prod(shape)), tensor, 0, seed)
    values = ((words >> np.uint64(8)).astype(np.float32) * np.float32(2**-24) - np.float32(0.5))
    values *= np.float32(0.25)
    return (values + np.float32(1) if is_gain else values).reshape(shape)


def project(values, tensor, seed):
    """Sums of the elements under 32 sequences of signs; bit j of an element's word is sign j."""
    words = words_of(values.size, tensor, 1, seed)
    flat = values.astype(np.float64).ravel()
    bits = ((words >> np.arange(PROJECTIONS, dtype=np.uint64)[:, None]) & np.uint64(1))
    return (np.where(bits == 1, 1.0, -1.0) * flat).sum(axis=1)


def recipe_name(name):
    """Name in the recipe's checkpoints of a transformers parameter."""
    for place in ("intermediate.dense", "pooler.dense", "transform.dense"):
        name = name.replace(place + ".", place + "_act.")
    return name


def decays(name):
    return not any(part in name for part in ("bias", "gamma", "beta", "LayerNorm"))


def model_order(layers):
    """transformers names in the order of the recipe's model."""
    tables = ("word", "position", "token_type")
    names = [f"bert.embeddings.{table}_embeddings.weight" for table in tables]
    names += ["bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.bias"]
    parts = ["attention.self.query", "attention.self.key", "attention.self.value",
             "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense",
             "output.dense", "output.LayerNorm"]
    for layer in range(layers):
        names += [f"bert.encoder.layer.{layer}.{part}.{kind}" for part in parts
                  for kind in ("weight", "bias")]
    names += ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "cls.predictions.bias"]
    for part in ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
                 "cls.seq_relationship"):
        names += [f"{part}.weight", f"{part}.bias"]
    return names


def make_config(hidden, layers, heads, intermediate, vocabulary):
    return {"attention_probs_dropout_prob": 0.0, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
            "hidden_size": hidden, "initializer_range": 0.02, "intermediate_size": intermediate,
            "max_position_embeddings": 512, "num_attention_heads": heads,
            "num_hidden_layers": layers, "type_vocab_size": 2, "vocab_size": vocabulary}


def make_model(config, seed, dtype):
    """The model with counter-made weights, and its parameters in model order."""
    torch.set_default_dtype(dtype)
    settings = transformers.BertConfig(**config, layer_norm_eps=1e-12, attn_implementation="eager")
    model = transformers.BertForPreTraining(settings).to(dtype)
    named = dict(model.named_parameters())
    names = model_order(config["num_hidden_layers"])
    assert sorted(names) == sorted(named), sorted(set(names) ^ set(named))
    parameters = []
    for number, name in enumerate(names):
        is_gain = name.endswith("LayerNorm.weight")
        values = initial_values(tuple(named[name].shape), number, is_gain, seed)
        named[name].data.copy_(torch.from_numpy(values))
        parameters.append(named[name])
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    return model.train(), names, parameters


def make_batch(lengths, vocabulary, rng):
    """Sequences with their masked positions (at least one each) and next-sentence labels."""
    sequences = []
    for length in lengths:
        ids = rng.integers(FIRST_WORD, vocabulary, size=length)
        count = max(1, round(0.15 * length))
        places = np.sort(rng.choice(length, size=count, replace=False))
        masked = [[int(place), int(ids[place])] for place in places]
        for place in places:
            draw = rng.random()
            if draw < 0.8:
                ids[place] = MASK_ID
            elif draw < 0.9:
                ids[place] = rng.integers(FIRST_WORD, vocabulary)
        sequences.append({"ids": ids.tolist(), "first_segment": int(rng.integers(1, length + 1)),
                          "masked": masked, "next_sentence": int(rng.integers(0, 2))})
    return sequences


def padded(sequences):
    """The batch as transformers takes it."""
    shape = (len(sequences), max(len(s["ids"]) for s in sequences))
    ids, segments, attention = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    labels = torch.full(shape, -100, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        length = len(sequence["ids"])
        ids[row, :length] = torch.tensor(sequence["ids"])
        segments[row, sequence["first_segment"]:length] = 1
        attention[row, :length] = 1
        for place, label in sequence["masked"]:
            labels[row, place] = label
    next_sentence = torch.tensor([s["next_sentence"] for s in sequences])
    return ids, segments, attention, labels, next_sentence


def losses_of(model, sequences):
    """Mean MLM loss over masked tokens, mean NSP loss over sequences, with their graph."""
    ids, segments, attention, labels, next_sentence = padded(sequences)
    result = model(input_ids=ids, token_type_ids=segments, attention_mask=attention)
    cross_entropy = torch.nn.functional.cross_entropy
    vocabulary = result.prediction_logits.shape[-1]
    mlm = cross_entropy(result.prediction_logits.view(-1, vocabulary), labels.view(-1))
    nsp = cross_entropy(result.seq_relationship_logits.view(-1, 2), next_sentence)
    with torch.no_grad():
        own = model(input_ids=ids, token_type_ids=segments, attention_mask=attention, labels=labels,
                    next_sentence_label=next_sentence).loss
        assert abs(own.item() - (mlm + nsp).item()) < 1e-5
    return mlm, nsp


def gradients_of(config, seed, dtype, sequences):
    model, _, parameters = make_model(config, seed, dtype)
    mlm, nsp = losses_of(model, sequences)
    (mlm + nsp).backward()
    losses = {"mlm": mlm.item(), "nsp": nsp.item(), "total": mlm.item() + nsp.item()}
    return losses, [p.grad.double().numpy() for p in parameters]


def groups_of(names, parameters):
    pairs = list(zip(names, parameters))
    return [{"params": [p for n, p in pairs if decays(n)], "weight_decay": 0.01},
            {"params": [p for n, p in pairs if not decays(n)], "weight_decay": 0.0}]


def lamb_run(config, seed, dtype, batches, recipe):
    """Twenty steps as run_pretraining.py takes them: the scheduler first, then the optimizer."""
    model, names, parameters = make_model(config, seed, dtype)
    optimizer = recipe["NVLAMB"](groups_of(names, parameters), lr=0.006)
    schedule = recipe["PolyWarmUpScheduler"](optimizer, warmup=0.2843, total_steps=STEPS)
    return train(model, parameters, optimizer, schedule, batches)


def adamw_run(config, seed, dtype, batches):
    model, names, parameters = make_model(config, seed, dtype)
    groups = groups_of(names, parameters)
    optimizer = torch.optim.AdamW(groups, lr=5e-4, betas=(0.9, 0.999), eps=1e-6)
    return train(model, parameters, optimizer, None, batches)


def train(model, parameters, optimizer, schedule, batches):
    losses, rates, norms = [], [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        mlm, nsp = losses_of(model, batches[step % len(batches)])
        (mlm + nsp).backward()
        norms.append(float(torch.sqrt(sum((p.grad.double() ** 2).sum() for p in parameters))))
        if schedule:
            schedule.step()
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        losses.append(mlm.item() + nsp.item())
    return losses, rates, norms, [p.detach().double().numpy() for p in parameters]


def short(value):
    """Twelve digits: a hundred thousand times finer than what the tests ask."""
    return float(f"{value:.12g}")


def records(exact, rounded, seed, initial=None):
    """A record a tensor: norm and projections of the float64 run, distance of the float32 run."""
    result = []
    for number, (values, approximate) in enumerate(zip(exact, rounded)):
        record = {"norm": short(np.linalg.norm(values)),
                  "fp32_distance": short(np.linalg.norm(values - approximate)),
                  "projections": [short(p) for p in project(values, number, seed)]}
        if initial is not None:
            record["moved"] = short(np.linalg.norm(values - initial[number]))
        result.append(record)
    return result


def gradient_section(config, seed, sequences):
    exact_losses, exact = gradients_of(config, seed, torch.float64, sequences)
    losses, rounded = gradients_of(config, seed, torch.float32, sequences)
    return {"fp64": exact_losses, "fp32": losses, "gradients": records(exact, rounded, seed)}


def run_section(run, initial, seed):
    losses64, rates, norms, exact = run(torch.float64)
    losses32, _, _, rounded = run(torch.float32)
    return {"rates": rates, "gradient_norms": norms, "losses_fp64": losses64,
            "losses_fp32": losses32, "weights": records(exact, rounded, seed, initial)}


def make_fixture(name, recipe):
    hidden, layers, heads, intermediate, vocabulary, seed, lengths = SHAPES[name]
    config = make_config(hidden, layers, heads, intermediate, vocabulary)
    rng = np.random.default_rng(seed)
    batches = [make_batch(row, vocabulary, rng) for row in lengths]
    mixed = make_batch(MIXED_LENGTHS, vocabulary, rng)
    _, names, parameters = make_model(config, seed, torch.float64)
    initial = [p.detach().numpy().copy() for p in parameters]
    tensors = [{"name": recipe_name(n), "shape": list(p.shape), "decay": decays(n),
                "first": float(p.detach().ravel()[0]), "norm": short(float(p.detach().norm()))}
               for n, p in zip(names, parameters)]
    return {"config": config, "seed": seed, "tensors": tensors, "batches": batches,
            "mixed_batch": mixed,
            "training_batch_0": gradient_section(config, seed, batches[0]),
            "mixed": gradient_section(config, seed, mixed),
            "lamb": run_section(lambda dtype: lamb_run(config, seed, dtype, batches, recipe),
                                initial, seed),
            "adamw": run_section(lambda dtype: adamw_run(config, seed, dtype, batches),
                                 initial, seed)}


def print_summary(name, fixture):
    """What the float32 run of PyTorch itself loses, worst tensor first."""
    names = [t["name"] for t in fixture["tensors"]]
    for section, key in (("training_batch_0", "gradients"), ("mixed", "gradients"),
                         ("lamb", "weights"), ("adamw", "weights")):
        rows = [(record["fp32_distance"] / record["norm"], record["norm"], tensor)
                for record, tensor in zip(fixture[section][key], names)]
        rows.sort(reverse=True)
        worst = ", ".join(f"{tensor} {share:.1e} (norm {norm:.1e})"
                          for share, norm, tensor in rows[:5])
        print(f"{name} {section}: {worst}")
    for section in ("lamb", "adamw"):
        print(name, section, "losses", [round(x, 3) for x in fixture[section]["losses_fp64"]])
        print(name, section, "norms", [round(x, 2) for x in fixture[section]["gradient_norms"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.recipe))
    from lamb import NVLAMB
    from schedulers import PolyWarmUpScheduler
    recipe = {"NVLAMB": NVLAMB, "PolyWarmUpScheduler": PolyWarmUpScheduler}
    for name in SHAPES:
        fixture = make_fixture(name, recipe)
        print_summary(name, fixture)
        path = arguments.output / f"pretraining_{name}.json"
        path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
