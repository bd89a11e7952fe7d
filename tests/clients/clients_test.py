"""Each client that people already have, unchanged, against `bertha serve`. Run by run.sh.

A test that takes values compares them with what the command of bertha prints for the same text.
"""

import asyncio
import math

import numpy as np
import pytest
from conftest import PASSAGE, QUESTION, TEXTS


def assert_same(vectors, expected):
    assert np.allclose(np.array(vectors, dtype=np.float64), np.array(expected), atol=1e-5)


# --- openai ---------------------------------------------------------------------------------------


def openai_client(url, key="unused"):
    import openai
    return openai.OpenAI(base_url=url + "v1", api_key=key, max_retries=0)


def test_openai_embeddings_in_base64(servers, vectors):
    reply = openai_client(servers.all).embeddings.create(model="embed", input=TEXTS)
    assert_same([item.embedding for item in reply.data], vectors)
    assert [item.index for item in reply.data] == [0, 1, 2]
    assert reply.model == "embed" and reply.usage.prompt_tokens == reply.usage.total_tokens > 0


def test_openai_embeddings_as_floats(servers, vectors):
    reply = openai_client(servers.all).embeddings.create(model="embed", input=TEXTS[0], encoding_format="float")
    assert_same([reply.data[0].embedding], vectors[:1])


def test_openai_dimensions_are_cut_and_scaled(servers, vectors):
    reply = openai_client(servers.all).embeddings.create(model="embed", input=TEXTS[0], dimensions=8)
    head = np.array(vectors[0][:8])
    assert_same([reply.data[0].embedding], [head / np.linalg.norm(head)])


def test_openai_models(servers):
    client = openai_client(servers.all)
    assert [model.id for model in client.models.list()] == ["qa", "fill", "embed", "reviews", "names", "ranker"]
    assert client.models.retrieve("embed").object == "model"


def test_openai_unknown_model(servers):
    import openai
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client(servers.all).embeddings.create(model="other", input="a")
    assert caught.value.code == "model_not_found" and "embed" in caught.value.message


def test_openai_token_ids_are_refused_with_a_hint(servers):
    import openai
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client(servers.all).embeddings.create(model="embed", input=[[791, 1317, 5754]])
    assert "check_embedding_ctx_length" in caught.value.message


def test_openai_key(servers, vectors):
    import openai
    with pytest.raises(openai.AuthenticationError):
        openai_client(servers.locked, "wrong").embeddings.create(model="embed", input="a")
    reply = openai_client(servers.locked, servers.key).embeddings.create(model="embed", input=TEXTS)
    assert_same([item.embedding for item in reply.data], vectors)


# --- huggingface_hub ------------------------------------------------------------------------------


def hub_client(url):
    from huggingface_hub import InferenceClient
    return InferenceClient(model=url)


def test_huggingface_hub_question_answering(servers):
    reply = hub_client(servers.all + "models/qa").question_answering(question=QUESTION, context=PASSAGE, align_to_words=False)
    assert PASSAGE[reply.start:reply.end] == reply.answer and 0 < reply.score <= 1
    several = hub_client(servers.all + "models/qa").question_answering(question=QUESTION, context=PASSAGE, top_k=3)
    assert len(several) == 3 and several[0].score >= several[1].score >= several[2].score


def test_huggingface_hub_fill_mask(servers):
    from conftest import MODELS, command
    text = "The [MASK] was old."
    reply = hub_client(servers.all + "models/fill").fill_mask(text, top_k=3)
    printed = command("fill", f"--init-checkpoint={MODELS}/fill", "--top=3", text).split()
    assert len(reply) == 3 and reply[0].token_str in printed and reply[0].score >= reply[1].score


def test_huggingface_hub_text_classification(servers, labels):
    reply = hub_client(servers.all + "models/reviews").text_classification(TEXTS[0])
    assert {item.label for item in reply} == {"bad", "fair", "good"}
    assert reply[0].label == labels[0]["prediction"]
    assert math.isclose(reply[0].score, float(labels[0]["probability"]), abs_tol=1e-5)
    assert math.isclose(sum(item.score for item in reply), 1, abs_tol=1e-5)


def test_huggingface_hub_token_classification(servers):
    text = "The car from the old town and the long road by the river."
    client = hub_client(servers.all + "models/names")
    tokens = client.token_classification(text)
    assert tokens and all(text[item.start:item.end].lower() == item.word.removeprefix("##") for item in tokens)
    for strategy in ("simple", "first", "average", "max"):
        groups = client.token_classification(text, aggregation_strategy=strategy, ignore_labels=["O", "PLACE"])
        assert {item.entity_group for item in groups} <= {"NAME"}
        assert all(text[item.start:item.end].lower() == item.word and 0 < item.score <= 1 for item in groups)


def test_huggingface_hub_feature_extraction(servers, vectors):
    assert_same(hub_client(servers.all + "models/embed").feature_extraction(TEXTS[0], normalize=True), vectors[:1])


def test_huggingface_hub_sentence_similarity(servers, vectors):
    reply = hub_client(servers.embed).sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:])
    assert_same(reply, [np.dot(vectors[0], vectors[1]), np.dot(vectors[0], vectors[2])])


def test_huggingface_hub_error_says_why(servers):
    from huggingface_hub.errors import HfHubHTTPError
    with pytest.raises(HfHubHTTPError) as caught:
        hub_client(servers.all + "models/fill").fill_mask("no gap here")
    assert "MASK" in str(caught.value)


# --- tritonclient and kserve ----------------------------------------------------------------------


def test_tritonclient_embeds(servers, vectors):
    import tritonclient.http as triton
    client = triton.InferenceServerClient(servers.all.removeprefix("http://").rstrip("/"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("embed")
    assert client.get_model_metadata("embed")["inputs"][0]["name"] == "text"
    text = triton.InferInput("text", [3], "BYTES")
    text.set_data_from_numpy(np.array(TEXTS, dtype=object))
    assert_same(client.infer("embed", [text]).as_numpy("embedding"), vectors)
    as_json = triton.InferRequestedOutput("embedding", binary_data=False)
    text.set_data_from_numpy(np.array(TEXTS, dtype=object), binary_data=False)
    assert_same(client.infer("embed", [text], outputs=[as_json]).as_numpy("embedding"), vectors)


def test_tritonclient_answers(servers, answer):
    import tritonclient.http as triton
    client = triton.InferenceServerClient(servers.all.removeprefix("http://").rstrip("/"))
    inputs = []
    for name, value in (("question", QUESTION), ("context", PASSAGE)):
        tensor = triton.InferInput(name, [1], "BYTES")
        tensor.set_data_from_numpy(np.array([value], dtype=object))
        inputs.append(tensor)
    reply = client.infer("qa", inputs)
    start, end = reply.as_numpy("start")[0], reply.as_numpy("end")[0]
    given = reply.as_numpy("answer")[0].decode()
    assert given in (answer, "") and (given == "" or PASSAGE[start:end] == given)


def test_tritonclient_error(servers):
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException
    client = triton.InferenceServerClient(servers.all.removeprefix("http://").rstrip("/"))
    with pytest.raises(InferenceServerException) as caught:
        client.get_model_metadata("other")
    assert "other" in caught.value.message()


def test_kserve(servers, vectors):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
        ready = await client.is_server_ready(servers.all), await client.is_server_live(servers.all), \
            await client.is_model_ready(servers.all, "embed")
        text = InferInput("text", [3], "BYTES")
        text.set_data_from_numpy(np.array(TEXTS, dtype=object))
        reply = await client.infer(servers.all, InferRequest("embed", [text]), model_name="embed")
        return ready, reply.outputs[0].as_numpy()

    ready, given = asyncio.run(run())
    assert ready == (True, True, True)
    assert_same(given.reshape(3, -1), vectors)


# --- LangChain, LlamaIndex, Haystack --------------------------------------------------------------


def test_langchain_openai(servers, vectors):
    from langchain_openai import OpenAIEmbeddings
    embedder = OpenAIEmbeddings(base_url=servers.all + "v1", api_key="unused", model="embed", check_embedding_ctx_length=False)
    assert_same(embedder.embed_documents(TEXTS), vectors)
    assert_same([embedder.embed_query(TEXTS[0])], vectors[:1])


def test_langchain_huggingface(servers, vectors):
    from huggingface_hub import InferenceClient
    from langchain_huggingface import HuggingFaceEndpointEmbeddings
    embedder = HuggingFaceEndpointEmbeddings(model="embed", model_kwargs={"normalize": True})
    embedder.client = InferenceClient(model=servers.embed)
    assert_same(embedder.embed_documents(TEXTS), vectors)


def test_llama_index_text_embeddings_inference(servers, vectors):
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
    embedder = TextEmbeddingsInference(model_name="embed", base_url=servers.embed.rstrip("/"), truncate_text=True)
    assert_same(embedder.get_text_embedding_batch(TEXTS), vectors)


def test_llama_index_openai_like(servers, vectors):
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    embedder = OpenAILikeEmbedding(model_name="embed", api_base=servers.all + "v1", api_key="unused")
    assert_same(embedder.get_text_embedding_batch(TEXTS), vectors)


def test_llama_index_tei_rerank(servers):
    from llama_index.core.schema import NodeWithScore, TextNode
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference
    ranker = TextEmbeddingInference(base_url=servers.ranker.rstrip("/"), top_n=2)
    nodes = ranker.postprocess_nodes([NodeWithScore(node=TextNode(text=text), score=0) for text in TEXTS], query_str=QUESTION)
    assert len(nodes) == 2 and nodes[0].score >= nodes[1].score


def test_haystack(servers, vectors):
    from haystack import Document
    from haystack_integrations.components.embedders.huggingface_api import HuggingFaceAPITextEmbedder
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker
    from haystack_integrations.components.rankers.huggingface_api.ranker import TruncationDirection
    embedder = HuggingFaceAPITextEmbedder(api_type="text_embeddings_inference", api_params={"url": servers.embed},
                                          token=None, normalize=True)
    assert_same([embedder.run(TEXTS[0])["embedding"]], vectors[:1])
    ranker = HuggingFaceTEIRanker(url=servers.ranker.rstrip("/"), top_k=2, token=None)
    documents = ranker.run(query=QUESTION, documents=[Document(content=text) for text in TEXTS], truncation_direction=TruncationDirection.RIGHT)["documents"]
    assert len(documents) == 2 and documents[0].score >= documents[1].score


# --- Rerankers and the rest -----------------------------------------------------------------------


def test_infinity_client(servers, vectors, labels):
    from infinity_client import Client
    from infinity_client.api.default import classify, embeddings, models, rerank
    from infinity_client.models import ClassifyInput, OpenAIEmbeddingInputText, RerankInput
    client = Client(base_url=servers.all.rstrip("/"), raise_on_unexpected_status=True)
    assert [model.id for model in models.sync(client=client).data][:2] == ["qa", "fill"]
    reply = embeddings.sync(client=client, body=OpenAIEmbeddingInputText(input_=TEXTS, model="embed"))
    assert_same([item.embedding for item in reply.data], vectors)
    reply = classify.sync(client=client, body=ClassifyInput(input_=TEXTS, model="reviews"))
    best = [max(item, key=lambda one: one.score) for item in reply.data]
    assert [item.label for item in best] == [row["prediction"] for row in labels]
    assert np.allclose([item.score for item in best], [float(row["probability"]) for row in labels], atol=1e-5)
    reply = rerank.sync(client=client, body=RerankInput(query=QUESTION, documents=TEXTS, model="ranker", return_documents=True))
    assert sorted(item.index for item in reply.results) == [0, 1, 2]
    assert reply.results[0].document == TEXTS[reply.results[0].index]


def test_cohere(servers):
    import cohere
    url = servers.all.rstrip("/")
    second = cohere.ClientV2("unused", base_url=url).rerank(model="ranker", query=QUESTION, documents=TEXTS, top_n=2)
    first = cohere.Client("unused", base_url=url).rerank(model="ranker", query=QUESTION, documents=TEXTS, top_n=2)
    scores = [(item.index, item.relevance_score) for item in second.results]
    assert len(scores) == 2 and scores[0][1] >= scores[1][1]
    assert [(item.index, item.relevance_score) for item in first.results] == scores


def test_tei_client_embeds(servers, vectors):
    from tei_client import HttpClient
    client = HttpClient(servers.embed)
    assert client.health() and client.info().server_model_type == "embedding"
    assert_same(client.embed(TEXTS), vectors)
    tokens = client.tokenize(TEXTS[0])[0].tokens
    assert tokens[0].special and TEXTS[0].encode()[tokens[1].start:tokens[1].stop].decode().lower() == tokens[1].text
    assert len(client.embed_all(TEXTS[0])[0]) == len(tokens)


def test_tei_client_ranks(servers):
    from tei_client import HttpClient
    ranks = HttpClient(servers.ranker).rerank(QUESTION, TEXTS).ranks
    assert sorted(rank.index for rank in ranks) == [0, 1, 2] and ranks[0].score >= ranks[1].score


def test_prometheus_client(servers):
    import urllib.request
    from prometheus_client.parser import text_string_to_metric_families
    reply = urllib.request.urlopen(servers.all + "metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(reply.read().decode())}
    assert {"te_request_count", "te_queue_size", "te_request_duration"} <= {name.removesuffix("_total") for name in families}
    assert all(family.documentation and family.type != "unknown" for family in families.values())
