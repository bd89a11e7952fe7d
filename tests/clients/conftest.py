"""Addresses of the servers that run.sh starts, and what the commands of bertha answer for the same texts."""

import csv
import json
import os
import subprocess
import urllib.request

import pytest

BERTHA = os.environ["BERTHA"]
MODELS = os.environ["BERTHA_MODELS"]
TEXTS = ["The long road to the old town.", "A car and a hat pin.", "Where was the fuel?"]
PASSAGE = "She had a car. The long road went by the river, and she bought fuel in the old town."
QUESTION = "Where did she buy fuel?"


class Servers:
    """`all` serves every model; `embed` and `ranker` serve one each, as clients of one model expect."""
    all = os.environ["BERTHA_URL"]
    embed = os.environ["BERTHA_EMBED_URL"]
    ranker = os.environ["BERTHA_RANKER_URL"]
    locked = os.environ["BERTHA_KEY_URL"]
    key = os.environ["BERTHA_KEY"]


@pytest.fixture(scope="session")
def servers():
    return Servers


def command(*arguments, text=None):
    done = subprocess.run([BERTHA, *arguments], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def vectors():
    """What `bertha embed` gives for TEXTS."""
    lines = command("embed", f"--init-checkpoint={MODELS}/embed", text="\n".join(TEXTS) + "\n")
    return [json.loads(line) for line in lines.splitlines()]


@pytest.fixture(scope="session")
def answer():
    """The text that `bertha ask` answers QUESTION with."""
    line = command("ask", f"--init-checkpoint={MODELS}/qa", f"--passage={PASSAGE}", f"--question={QUESTION}")
    return line.split("  (confidence")[0]


@pytest.fixture(scope="session")
def labels(tmp_path_factory):
    """What `bertha classify` gives for each of TEXTS: {"index", "prediction", "probability"}."""
    folder = tmp_path_factory.mktemp("classify")
    (folder / "texts.tsv").write_text("sentence\n" + "\n".join(TEXTS) + "\n")
    command("classify", f"--init-checkpoint={MODELS}/reviews", f"--predict-file={folder}/texts.tsv",
            "--text-column=sentence", f"--output-dir={folder}/out")
    with open(folder / "out" / "predictions.tsv", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(autouse=True)
def name_the_recording(request):
    """Gives the recording proxies, where run.sh has started them, the name of the next client."""
    if os.environ.get("BERTHA_RECORD"):
        name = request.node.name.removeprefix("test_").replace("_", "-")
        for url in (Servers.all, Servers.embed, Servers.ranker):
            urllib.request.urlopen(urllib.request.Request(f"{url}record/{name}", method="PUT")).read()
