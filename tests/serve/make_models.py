"""Writes small models of random weights, one a task, for tests that start `bertha serve`.

usage: make_models.py FOLDER

FOLDER/qa, fill, embed, reviews (three labels), names (labels of tokens) and ranker (one label, for rank) become
folders as transformers saves them. The weights come from a fixed seed, so that every run makes the same files. Needs
only Python's standard library.
"""

import array
import json
import random
import string
import struct
import sys
from pathlib import Path

HIDDEN, LAYERS, HEADS, INTERMEDIATE, POSITIONS = 32, 2, 4, 64, 512
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a an and of to in was she he it they with for her his on at by from that not had who what where
when which car road fuel hat pin train ship town river bread early late good bad fine long old new""".split()
SIGNS = list(".,;:!?'\"()-<>&/=#@[]{}%$+*") + ["é", "ü", "ש", "ل", "ж", "日", "本", "😀", "👩", "🚗", "🎉"]


def vocabulary():
    characters = list(string.ascii_lowercase + string.digits)
    return SPECIAL + SIGNS + characters + ["##" + c for c in characters] + [w for w in WORDS if len(w) > 1]


def encoder_shapes(words):
    yield "embeddings.word_embeddings.weight", [words, HIDDEN]
    yield "embeddings.position_embeddings.weight", [POSITIONS, HIDDEN]
    yield "embeddings.token_type_embeddings.weight", [2, HIDDEN]
    yield from norm("embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            yield from linear(at + "attention.self." + part, HIDDEN, HIDDEN)
        yield from linear(at + "attention.output.dense", HIDDEN, HIDDEN)
        yield from norm(at + "attention.output.LayerNorm")
        yield from linear(at + "intermediate.dense", INTERMEDIATE, HIDDEN)
        yield from linear(at + "output.dense", HIDDEN, INTERMEDIATE)
        yield from norm(at + "output.LayerNorm")


def linear(name, rows, columns):
    yield name + ".weight", [rows, columns]
    yield name + ".bias", [rows]


def norm(name):
    yield name + ".weight", [HIDDEN]
    yield name + ".bias", [HIDDEN]


def pooler():
    yield from linear("bert.pooler.dense", HIDDEN, HIDDEN)


def answer_head(words):
    yield from linear("qa_outputs", 2, HIDDEN)


def fill_head(words):
    yield "cls.predictions.bias", [words]
    yield from linear("cls.predictions.transform.dense", HIDDEN, HIDDEN)
    yield from norm("cls.predictions.transform.LayerNorm")


def classify_head(labels):
    def shapes(words):
        yield from pooler()
        yield from linear("classifier", labels, HIDDEN)
    return shapes


def tag_head(words):
    yield from linear("classifier", 5, HIDDEN)


def values(name, shape, generator):
    size = 1
    for extent in shape:
        size *= extent
    if "LayerNorm.weight" in name:
        return [1.0] * size
    # A wide deviation, so that the scores of a model differ.
    deviation = 0.0 if name.endswith("LayerNorm.bias") else 0.4
    return [generator.gauss(0, deviation) for _ in range(size)]


def write_safetensors(path, shapes, seed):
    generator = random.Random(seed)
    header, data = {}, bytearray()
    for name, shape in shapes:
        begin = len(data)
        data += array.array("f", values(name, shape, generator)).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_model(folder, architecture, head, seed, labels=()):
    folder.mkdir(parents=True, exist_ok=True)
    words = vocabulary()
    config = {
        "architectures": [architecture], "model_type": "bert", "vocab_size": len(words), "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": INTERMEDIATE,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}
    if labels:
        config["id2label"] = {str(i): label for i, label in enumerate(labels)}
        config["label2id"] = {label: i for i, label in enumerate(labels)}
        (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": POSITIONS}))
    prefix = "" if architecture == "BertModel" else "bert."
    shapes = [(prefix + name, shape) for name, shape in encoder_shapes(len(words))]
    write_safetensors(folder / "model.safetensors", shapes + list(head(len(words))), seed)


def main(folder):
    write_model(folder / "qa", "BertForQuestionAnswering", answer_head, 1)
    write_model(folder / "fill", "BertForMaskedLM", fill_head, 2)
    write_model(folder / "embed", "BertModel", lambda words: linear("pooler.dense", HIDDEN, HIDDEN), 3)
    write_model(folder / "reviews", "BertForSequenceClassification", classify_head(3), 4, ("bad", "fair", "good"))
    write_model(folder / "names", "BertForTokenClassification", tag_head, 6, ("O", "B-NAME", "I-NAME", "B-PLACE", "I-PLACE"))
    write_model(folder / "ranker", "BertForSequenceClassification", classify_head(1), 5, ("LABEL_0",))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
