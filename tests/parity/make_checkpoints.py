#!/usr/bin/env python3
"""Runs the recipe's own run_pretraining.py for two steps on the CPU and keeps its checkpoints.

    make_checkpoints.py --recipe FOLDER --output FOLDER

--recipe is PyTorch/nlp/bert of HabanaAI/Model-References 1.11.0. Its script runs unchanged; modules
that it imports for downloads and logging and that are not installed are replaced by empty ones.
README.md says what the files hold.
"""

import argparse
import json
import os
import pathlib
import runpy
import shutil
import sys
import tempfile
import types
import zlib

import h5py
import numpy as np
import torch

CONFIG = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
          "hidden_size": 8, "initializer_range": 0.02, "intermediate_size": 20,
          "max_position_embeddings": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
          "type_vocab_size": 2, "vocab_size": 22}
ROWS, LENGTH, PREDICTIONS = 8, 12, 3


def stub_modules():
    """Empty stand-ins for what the recipe imports and a bare machine lacks."""
    for name in ("boto3", "requests", "botocore", "botocore.exceptions", "dllogger"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["botocore.exceptions"].ClientError = Exception
    logger = sys.modules["dllogger"]
    logger.log = logger.init = logger.flush = lambda *_, **__: None
    for name in ("StdOutBackend", "JSONStreamBackend"):
        setattr(logger, name, lambda *_, **__: None)
    logger.Verbosity = types.SimpleNamespace(VERBOSE=1, DEFAULT=0)


def write_shard(path, seed):
    """A shard of random rows in the recipe's layout."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, CONFIG["vocab_size"], size=(ROWS, LENGTH), dtype=np.int32)
    mask = np.ones((ROWS, LENGTH), dtype=np.int8)
    mask[:, 10:] = 0
    segments = np.zeros((ROWS, LENGTH), dtype=np.int8)
    segments[:, 5:10] = 1
    positions = np.tile(np.array([2, 7, 0], dtype=np.int32), (ROWS, 1))
    labels = np.tile(np.array([9, 6, 0], dtype=np.int32), (ROWS, 1))
    next_sentence = rng.integers(0, 2, size=ROWS, dtype=np.int8)
    with h5py.File(path, "w") as file:
        for name, values in (("input_ids", ids * mask), ("input_mask", mask),
                             ("segment_ids", segments), ("masked_lm_positions", positions),
                             ("masked_lm_ids", labels), ("next_sentence_labels", next_sentence)):
            file.create_dataset(name, data=values, compression="gzip")


def run_recipe(recipe, folder, protocol, max_steps):
    """Two steps of `max_steps`; torch.save writes the checkpoints with this pickle protocol."""
    (folder / "out").mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "data").mkdir()
    for shard in range(3):
        write_shard(folder / "data" / f"wiki_training_{shard}.hdf5", shard)
    save = torch.save
    torch.save = lambda value, path: save(value, path, pickle_protocol=protocol)
    os.chdir(folder)
    sys.argv = ["run_pretraining.py", "--do_train", "--no_cuda", "--bert_model=bert-base-uncased",
                "--config_file=config.json", "--input_dir=data", "--output_dir=out",
                "--train_batch_size=4", "--max_seq_length=12", "--max_predictions_per_seq=3",
                f"--max_steps={max_steps}", "--steps_this_run=2", "--num_steps_per_checkpoint=1",
                "--warmup_proportion=0.5", "--learning_rate=0.006", "--disable_progress_bar",
                "--enable_packed_data_mode=False", "--json-summary=out/log.json"]
    try:
        runpy.run_path(str(recipe / "run_pretraining.py"), run_name="__main__")
    finally:
        torch.save = save


class DeviceTensor:
    """Pickles as Gaudi's bridge of that age does a tensor of the device: as a numpy array."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        arguments = (self.tensor.numpy(), self.tensor.dtype, "hpu:0", self.tensor.requires_grad)
        return torch._utils._rebuild_device_tensor_from_numpy, arguments


def describe(tensor):
    tensor = tensor.detach().contiguous()
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
            "crc32": zlib.crc32(tensor.numpy().tobytes())}


def plain(value):
    """A group's setting or a state's entry as JSON has it."""
    return describe(value) if isinstance(value, torch.Tensor) else value


def description(checkpoint):
    """What a reader must find; data_loader is left out."""
    optimizer = checkpoint["optimizer"]
    return {"model": {name: describe(tensor) for name, tensor in checkpoint["model"].items()},
            "state": {str(index): {key: plain(value) for key, value in entries.items()}
                      for index, entries in optimizer["state"].items()},
            "param_groups": optimizer["param_groups"],
            "files": checkpoint["files"], "epoch": checkpoint["epoch"]}


def make(recipe, output, name, protocol, max_steps):
    """Runs the recipe in a folder of its own; ckpt_2.pt becomes `name`. Returns what it holds."""
    here = pathlib.Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        run_recipe(recipe, pathlib.Path(folder), protocol, max_steps)
        os.chdir(here)
        shutil.copy(pathlib.Path(folder) / "out" / "ckpt_2.pt", output / name)
    main_module = sys.modules["__main__"]
    for class_name in ("pretraining_dataset", "WorkerInitObj"):
        setattr(main_module, class_name, type(class_name, (), {}))
    return torch.load(output / name, weights_only=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    recipe, output = arguments.recipe.resolve(), arguments.output.resolve()
    sys.path.insert(0, str(recipe))
    stub_modules()
    found = {}
    runs = (("recipe_ckpt_2.pt", 2, 3), ("recipe_ckpt_2_protocol4.pt", 4, 2))
    for name, protocol, max_steps in runs:
        checkpoint = make(recipe, output, name, protocol, max_steps)
        found[name] = description(checkpoint)
    name = "recipe_ckpt_2_device.pt"
    model = {key: DeviceTensor(value) for key, value in checkpoint["model"].items()}
    torch.save({"model": model, "files": checkpoint["files"], "epoch": 0}, output / name)
    found[name] = {"model": found["recipe_ckpt_2_protocol4.pt"]["model"],
                   "files": checkpoint["files"], "epoch": 0}
    (output / "recipe_ckpt_2.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
