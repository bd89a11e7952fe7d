"""Writes what bench/serve.sh needs: two model folders and bodies of requests.

    make_inputs.py DATA FOLDER

DATA is the folder of real data (../shared/data). FOLDER/minilm is all-MiniLM-L6-v2 without its limit of 128
tokens, FOLDER/base a BERT-Base of random weights with the same vocabulary, and FOLDER/bodies_N.jsonl has 64
requests to /embed whose texts, of SQuAD, have exactly N tokens with [CLS] and [SEP].
"""

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy
from tokenizers import Tokenizer

LENGTHS = (16, 128, 384)
BODIES = 64
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}


def base_shapes(vocabulary):
    hidden, inner = BASE["hidden_size"], BASE["intermediate_size"]
    yield "embeddings.word_embeddings.weight", (vocabulary, hidden)
    yield "embeddings.position_embeddings.weight", (512, hidden)
    yield "embeddings.token_type_embeddings.weight", (2, hidden)
    norms = ["embeddings.LayerNorm"]
    for layer in range(BASE["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        linears = [(at + f"attention.self.{part}", hidden, hidden) for part in ("query", "key", "value")]
        linears += [(at + "attention.output.dense", hidden, hidden), (at + "intermediate.dense", inner, hidden),
                    (at + "output.dense", hidden, inner)]
        for name, rows, columns in linears:
            yield name + ".weight", (rows, columns)
            yield name + ".bias", (rows,)
        norms += [at + "attention.output.LayerNorm", at + "output.LayerNorm"]
    for name in norms:
        yield name + ".weight", (hidden,)
        yield name + ".bias", (hidden,)


def write_base(folder, like):
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((like / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **BASE}))
    generator = numpy.random.default_rng(1)
    header, parts, end = {}, [], 0
    for name, shape in base_shapes(config["vocab_size"]):
        values = generator.normal(0, 0.02, shape).astype(numpy.float32)
        if name.endswith("LayerNorm.weight"):
            values = numpy.ones(shape, numpy.float32)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + values.nbytes]}
        parts.append(values.tobytes())
        end += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


def copy_tokenizer(source, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(source / name, folder)
    settings = json.loads((source / "tokenizer.json").read_text())
    settings["truncation"] = settings["padding"] = None
    (folder / "tokenizer.json").write_text(json.dumps(settings))


def texts_of(path):
    for article in json.loads(path.read_text())["data"]:
        yield " ".join(paragraph["context"] for paragraph in article["paragraphs"])


def cut(text, tokens, tokenizer):
    """The start of the text that has this many tokens."""
    encoded = tokenizer.encode(text)
    end = encoded.offsets[tokens - 2][1]
    if len(tokenizer.encode(text[:end]).ids) != tokens:
        raise SystemExit(f"{text[:40]!r}: cannot cut to {tokens} tokens")
    return text[:end]


def main(data, folder):
    data, folder = Path(data), Path(folder)
    source = data / "checkpoints" / "all-MiniLM-L6-v2"
    for name in ("minilm", "base"):
        copy_tokenizer(source, folder / name)
    shutil.copy(source / "config.json", folder / "minilm")
    shutil.copy(source / "model.safetensors", folder / "minilm")
    write_base(folder / "base", source)
    tokenizer = Tokenizer.from_file(str(folder / "minilm" / "tokenizer.json"))
    texts = list(texts_of(data / "squad" / "train-v1.1.json"))[:BODIES]
    for length in LENGTHS:
        with open(folder / f"bodies_{length}.jsonl", "w") as file:
            for text in texts:
                file.write(json.dumps({"inputs": cut(text, length, tokenizer)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
