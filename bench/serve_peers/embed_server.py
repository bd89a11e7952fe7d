"""A FastAPI server of mean-pooled, normalized vectors, as people write it: the peer of `bertha serve`.

    embed_server.py ENGINE FOLDER PORT

ENGINE is onnxruntime, openvino-fp32, openvino-bf16 or fastembed; FOLDER has model.onnx and the tokenizer. One
worker process; the engine uses OMP_NUM_THREADS threads. uvloop, httptools and orjson, the fastest of their
kind, are used.
"""

import json
import os
import sys

import numpy
import orjson
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

THREADS = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count()))


class Body(BaseModel):
    inputs: str | list[str]


def tokenizer_of(folder):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.enable_truncation(512)
    tokenizer.enable_padding()
    return tokenizer


def arrays(tokenizer, texts):
    encoded = tokenizer.encode_batch(texts)
    return {"input_ids": numpy.array([e.ids for e in encoded], numpy.int64),
            "attention_mask": numpy.array([e.attention_mask for e in encoded], numpy.int64),
            "token_type_ids": numpy.array([e.type_ids for e in encoded], numpy.int64)}


def pooled(states, mask):
    mask = mask[:, :, None].astype(numpy.float32)
    means = (states * mask).sum(1) / mask.sum(1)
    return means / numpy.linalg.norm(means, axis=1, keepdims=True)


def onnxruntime_engine(folder):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), options,
                                           providers=["CPUExecutionProvider"])
    names = {node.name for node in session.get_inputs()}
    tokenizer = tokenizer_of(folder)

    def embed(texts):
        inputs = arrays(tokenizer, texts)
        states = session.run(None, {name: value for name, value in inputs.items() if name in names})[0]
        return pooled(states, inputs["attention_mask"])
    return embed


def openvino_engine(folder, precision):
    import openvino
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": str(THREADS), "INFERENCE_PRECISION_HINT": precision,
                              "PERFORMANCE_HINT": "LATENCY"})
    model = core.compile_model(os.path.join(folder, "model.onnx"), "CPU")
    names = {name for port in model.inputs for name in port.names}
    tokenizer = tokenizer_of(folder)
    idle = []

    def embed(texts):
        request = idle.pop() if idle else model.create_infer_request()
        inputs = arrays(tokenizer, texts)
        states = request.infer({name: value for name, value in inputs.items() if name in names})[0]
        vectors = pooled(numpy.array(states), inputs["attention_mask"])
        idle.append(request)
        return vectors
    return embed


def fastembed_engine(folder):
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        size = json.load(file)["hidden_size"]
    TextEmbedding.add_custom_model(model="own", pooling=PoolingType.MEAN, normalization=True,
                                   sources=ModelSource(url="file:///none"), dim=size, model_file="model.onnx")
    model = TextEmbedding("own", specific_model_path=folder, threads=THREADS)
    return lambda texts: numpy.stack(list(model.embed(texts)))


def engine_of(name, folder):
    if name == "onnxruntime":
        return onnxruntime_engine(folder)
    if name == "fastembed":
        return fastembed_engine(folder)
    return openvino_engine(folder, {"openvino-fp32": "f32", "openvino-bf16": "bf16"}[name])


def main(engine, folder, port):
    embed = engine_of(engine, folder)
    embed(["warm"])
    app = FastAPI()

    @app.get("/health")
    def health():
        return {}

    @app.post("/embed")
    def embed_route(body: Body):
        texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
        vectors = embed(texts)
        return Response(orjson.dumps(vectors, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", log_level="warning",
                access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
