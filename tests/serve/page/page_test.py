"""The page of `bertha serve` in a browser. Run by run.sh, which starts the servers."""

import json
import os
import random
import subprocess
import time
import unicodedata

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import PICTURES, URL

KEY_URL = os.environ["BERTHA_KEY_URL"]
KEY = os.environ["BERTHA_KEY"]
TASKS = ["ask", "fill", "compare", "classify", "tag", "rank"]

PIECES = [
    "the", "car", "long road", "of fuel", "river", "naïve", "e\u0301te\u0301", "Z\u0351\u036b\u0343a\u034clgo", "😀", "👩‍👩‍👧‍👦",
    "👍🏽", "🇩🇪", "🏳️‍🌈", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𠮷野家", "日本", "שָׁלוֹם", "الْعَرَبِيَّة", "\u202eright\u202c", "नमस्ते", "a\u00a0b", "\u200bzero",
    "“quoted”", "it's", "3.14", "—", "<b>", "&amp;", "\u00ad", "ﬁn", "İ", "ẞ", "Å", "한국"]
SPACES = [" ", " ", " ", "  ", "\r\n", "\n", "\t", "\r\n\r\n", ", ", ". "]
HOSTILE = [
    "<script>window.broken=1</script>", "<img src=x onerror=window.broken=1>", "<svg onload=window.broken=1>",
    "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "</textarea><script>alert(1)</script>", "</title><svg/onload=alert(1)>",
    "<iframe srcdoc='<script>parent.broken=1</script>'></iframe>", "<a href=javascript:alert(1)>x</a>", "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//example.invalid/x.css>", "<base href=//example.invalid/>", "<meta http-equiv=refresh content=0;url=//example.invalid>",
    "<form action=//example.invalid><input name=x autofocus onfocus=alert(1)>", "{{constructor.constructor('alert(1)')()}}", "${alert(1)}",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>",
    "\u2028alert(1)\u2029", "&lt;script&gt;alert(1)&lt;/script&gt;", "<mark>fake</mark>", "<x style=\"background:url(//example.invalid)\">", "<object data=javascript:alert(1)>",
    "$(touch broken)`touch broken`'; touch broken; '"]


def generated_passage(seed):
    generator = random.Random(seed)
    words = [generator.choice(PIECES) for _ in range(generator.randint(3, 60))]
    return "".join(word + generator.choice(SPACES) for word in words)


def utf16_slice(text, start, end):
    return text.encode("utf-16-le", "surrogatepass")[2 * start:2 * end].decode("utf-16-le", "surrogatepass")


def submit(page, name):
    """Presses the button of a tab and waits for the result."""
    panel = page.locator(f"#panel-{name}")
    panel.locator(".primary").click()
    panel.locator(".result:not([aria-busy])").wait_for(state="attached")


def show_result(page, name):
    page.click(f"#tab-{name}")
    if name != "server":
        submit(page, name)
        page.wait_for_selector(f"#panel-{name} .result .programs")


def ask(page, passage, question):
    page.fill("#ask-question", question)
    page.evaluate("text => { document.querySelector('#ask-passage').value = text; }", passage)
    with page.expect_response("**/v1/answer") as caught:
        submit(page, "ask")
    return caught.value


# --- Answers are marked where they are ------------------------------------------------------------


def test_marked_text_is_the_answer_in_200_passages(open_page):
    page, _ = open_page()
    marked = units = 0
    for seed in range(200):
        passage = generated_passage(seed)
        response = ask(page, passage, "where was the car?")
        assert response.status == 200, (seed, response.text())
        sent = response.request.post_data_json["passage"]
        assert sent == passage.replace("\r\n", "\n"), seed
        best = [one for one in response.json()["answers"][0]["best"] if one["end"] > one["start"]]
        page.wait_for_selector("#panel-ask .result .programs")
        shown = page.evaluate("""() => [...document.querySelectorAll('#panel-ask .candidates button')].map((row) => {
          row.click();
          return [...document.querySelectorAll('#panel-ask mark, #panel-ask .reading')].map((box) => box.textContent);
        })""")
        assert len(shown) == len(best), seed
        for (reading, mark), candidate in zip(shown, best):
            assert mark == candidate["text"], seed
            assert reading == sent, seed
            assert utf16_slice(sent, candidate["start"], candidate["end"]) == mark, seed
            marked += 1
            units += any(ord(c) > 0xFFFF or unicodedata.combining(c) for c in sent[:candidate["end"]])
    assert marked >= 400 and units >= 100, (marked, units)


def test_first_candidate_is_marked_at_once_unless_there_is_no_answer(open_page):
    reply = {"model": "qa", "answers": [{"question": "q", "best": [
        {"text": "two", "confidence": 0.5, "score": 1.0, "start": 4, "end": 7}], "no_answer": False, "no_answer_confidence": 0.25,
        "windows": 1, "windows_skipped": 0, "question_truncated": False}], "usage": {"tokens": 9, "windows": 1}}
    page, _ = open_page(setup=lambda page: page.route("**/v1/answer", lambda route: route.fulfill(json=reply)))
    ask(page, "one two three", "q")
    assert page.locator("#panel-ask mark").text_content() == "two"
    assert "25.0 %" in page.locator("#panel-ask .lone").text_content()
    reply["answers"][0]["no_answer"] = True
    ask(page, "one two three", "q")
    assert page.locator("#panel-ask mark").count() == 0
    assert "does not seem to answer" in page.locator("#panel-ask .answer").text_content()


def test_hovering_a_candidate_marks_it_and_leaving_marks_the_chosen_one(open_page):
    page, _ = open_page()
    show_result(page, "ask")
    rows = page.locator("#panel-ask .candidates button")
    rows.first.click()
    chosen = page.locator("#panel-ask mark").text_content()
    rows.nth(1).hover()
    assert page.locator("#panel-ask mark").text_content() == rows.nth(1).locator(".what").text_content()
    page.mouse.move(5, 5)
    assert page.locator("#panel-ask mark").text_content() == chosen


def assert_marked(page, text):
    """The text of the tab Tag is whole, each name with its type behind it. Returns the names."""
    pieces = page.evaluate("""() => [...document.querySelector('#panel-tag .reading').childNodes].map((node) => node.localName === 'mark'
      ? [node.firstChild.textContent, node.lastChild.textContent] : [node.textContent])""")
    assert "".join(piece[0] for piece in pieces) == text
    assert all(piece[1] in (" NAME", " PLACE") for piece in pieces if len(piece) == 2)
    return [piece[0] for piece in pieces if len(piece) == 2]


def test_names_are_marked_where_the_server_finds_them(open_page):
    page, _ = open_page()
    page.click("#tab-tag")
    names = 0
    for seed in range(40):
        text = " ".join(generated_passage(seed).split())
        page.fill("#tag-text", text)
        with page.expect_response("**/models/names") as caught:
            submit(page, "tag")
        spans = caught.value.json()
        assert assert_marked(page, text) == [text[span["start"]:span["end"]] for span in spans], seed
        names += len(spans)
    assert names > 40


# --- Texts stay texts -----------------------------------------------------------------------------


def elements_that_act(page):
    return page.evaluate("document.querySelectorAll('script,img,iframe,object,embed,link,base,meta,form,video,style,svg').length")


def assert_inert(page, before):
    assert page.evaluate("window.broken") is None
    assert elements_that_act(page) == before
    assert page.url.startswith(URL)


def test_markup_in_texts_stays_inert(open_page):
    page, _ = open_page()
    before = elements_that_act(page)
    for payload in HOSTILE:
        assert ask(page, f"The {payload} car {payload}", f"{payload}?").status == 200
    assert_inert(page, before)
    page.click("#tab-fill")
    for payload in HOSTILE:
        page.fill("#fill-text", f"{payload} [MASK] {payload}")
        submit(page, "fill")
        assert payload.strip() in page.locator("#panel-fill .filled").text_content()
    for name, field in (("compare", "compare-texts"), ("rank", "rank-texts")):
        page.click(f"#tab-{name}")
        page.fill(f"#{field}", "\n".join(HOSTILE))
        submit(page, name)
        assert "<script>window.broken=1</script>" in page.locator(f"#panel-{name} .result").text_content()
    page.click("#tab-classify")
    page.fill("#classify-text", HOSTILE[1])
    page.fill("#classify-pair", HOSTILE[2])
    submit(page, "classify")
    page.click("#tab-tag")
    for payload in HOSTILE:
        page.fill("#tag-text", f"The car {payload} old")
        submit(page, "tag")
        assert_marked(page, f"The car {payload} old")
    assert_inert(page, before)


def test_markup_in_answers_of_the_server_stays_inert(open_page):
    payload = HOSTILE[1]
    models = {"object": "list", "data": [{"id": payload, "task": task} for task in ("answer", "classify", "classify", "embed", "fill")]}

    def setup(page):
        page.route("**/v1/models", lambda route: route.fulfill(json=models))
        page.route("**/models/*", lambda route: route.fulfill(json=[[{"label": payload, "score": 0.5}]]) if "v1" not in route.request.url
                   else route.fulfill(json=models))
        page.route("**/v1/answer", lambda route: route.fulfill(status=422, json={"error": {"message": payload}}))
        page.route("**/v1/fill", lambda route: route.fulfill(json={"masks": [[{"token": payload, "probability": 0.5}]]}))

    page, watch = open_page(setup=setup)
    watch.allowed.append("422")
    before = elements_that_act(page)
    for name in ("classify", "ask", "fill"):
        page.click(f"#tab-{name}")
        submit(page, name)
        assert payload in page.locator(f"#panel-{name}").text_content()
    page.fill("#fill-text", "only [MASK] one")
    submit(page, "fill")
    page.click("#tab-server")
    assert payload in page.locator("#models").text_content()
    assert_inert(page, before)


def test_policy_blocks_inline_script_and_other_origins(open_page):
    page, watch = open_page()
    watch.allowed += ["Content Security Policy", "Refused", "Connecting to"]
    page.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'window.broken = 1';
      document.body.append(script);
    }""")
    assert page.evaluate("window.broken") is None
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)") == "TypeError"
    watch.faults.clear()  # the attempt itself counts as a request to another origin


def test_every_response_of_the_page_has_its_headers(open_page):
    responses = []
    open_page(setup=lambda page: page.on("response", lambda response: responses.append(response)))
    files = [r for r in responses if r.url == URL or "/page/" in r.url]
    assert len(files) >= 10
    for response in files:
        assert response.headers["content-security-policy"].startswith("default-src 'none'; "), response.url
        assert response.headers["x-content-type-options"] == "nosniff", response.url
        assert response.headers["referrer-policy"] == "no-referrer", response.url


# --- States ---------------------------------------------------------------------------------------


def test_tabs_are_shown_for_served_models_only(open_page):
    models = {"object": "list", "data": [{"id": "e", "task": "embed"}]}
    page, _ = open_page(setup=lambda page: page.route("**/v1/models", lambda route: route.fulfill(json=models)))
    assert page.locator("[role=tab]:visible").all_text_contents() == ["Compare", "Server"]
    page, _ = open_page()
    assert page.locator("[role=tab]:visible").all_text_contents() == ["Ask", "Fill", "Compare", "Classify", "Tag", "Rank", "Server"]


def test_page_waits_while_the_server_loads(open_page):
    left = [2]

    def health(route):
        left[0] -= 1
        route.fulfill(status=503, json={"error": "loading"}) if left[0] >= 0 else route.continue_()

    page, watch = open_page(setup=lambda page: page.route("**/health", health), wait=False)
    watch.allowed.append("503")
    page.wait_for_selector("#waiting:visible")
    assert "loading its models" in page.locator("#waiting").text_content()
    page.wait_for_selector("#tab-ask:visible")
    assert not page.locator("#waiting").is_visible()


@pytest.mark.parametrize("status, headers, words", [
    (429, {"Retry-After": "3"}, "more work than it can finish in time. Try again in 3 seconds."),
    (429, {}, "Try again soon."), (503, {"Retry-After": "1"}, "not ready. Try again in 1 second."), (413, {}, "larger than this server takes"),
    (422, {}, "refused this: it says why"), (500, {}, "met a fault (status 500). It says: it says why")])
def test_errors_are_said_in_words(open_page, status, headers, words):
    page, watch = open_page(setup=lambda page: page.route("**/v1/answer", lambda route: route.fulfill(
        status=status, headers=headers, json={"error": {"message": "it says why"}})))
    watch.allowed.append(str(status))
    submit(page, "ask")
    assert words in page.locator("#panel-ask .message").text_content()
    page.unroute("**/v1/answer")
    show_result(page, "ask")
    assert page.locator("#panel-ask .message").text_content() == ""
    assert "Ready" in page.locator("#status").text_content()


def test_lost_connection_is_said_in_words(open_page):
    page, watch = open_page(setup=lambda page: page.route("**/v1/answer", lambda route: route.abort()))
    watch.allowed.append("ERR_FAILED")
    submit(page, "ask")
    assert "The server does not answer." in page.locator("#panel-ask .message").text_content()
    assert page.locator("#status").text_content() == "No connection"


def test_new_question_aborts_the_running_one(open_page):
    held = []

    def setup(page):
        page.add_init_script("""window.signals = [];
          const send = window.fetch;
          window.fetch = (path, options) => {
            if (path === 'v1/answer') window.signals.push(options.signal);
            return send(path, options);
          };""")
        page.route("**/v1/answer", lambda route: held.append(route))

    page, _ = open_page(setup=setup)
    page.fill("#ask-question", "first")
    page.click("#panel-ask .primary")
    page.wait_for_selector("#panel-ask.busy")
    page.unroute("**/v1/answer")
    page.fill("#ask-question", "second")
    page.click("#panel-ask .primary")
    page.wait_for_selector("#panel-ask .result .programs")
    assert page.evaluate("window.signals.map((signal) => signal.aborted)") == [True, False]
    assert len(held) == 1 and not page.locator("#panel-ask.busy").count()


@pytest.mark.parametrize("name, field, words", [
    ("ask", "ask-passage", "Write or paste a passage"), ("ask", "ask-question", "Write a question"), ("fill", "fill-text", "Write [MASK] where"),
    ("compare", "compare-texts", "at least two texts"), ("classify", "classify-text", "Write a text"), ("tag", "tag-text", "Write a text"), ("rank", "rank-texts", "at least one text")])
def test_incomplete_forms_say_what_is_missing(open_page, name, field, words):
    page, _ = open_page()
    page.click(f"#tab-{name}")
    page.fill(f"#{field}", "  ")
    submit(page, name)
    assert words in page.locator(f"#panel-{name} .message").text_content()


def test_choosing_a_candidate_fills_the_gap_with_it(open_page):
    page, _ = open_page()
    show_result(page, "fill")
    row = page.locator("#panel-fill .candidates").first.locator("button").nth(2)
    row.click()
    word = row.locator(".what").text_content().removeprefix("##")
    assert page.locator("#panel-fill .filled mark").first.text_content() == word


def test_compare_table_has_the_cosines_of_the_server(open_page):
    page, _ = open_page()
    show_result(page, "compare")
    texts = page.input_value("#compare-texts").split("\n")
    cosines = page.evaluate("""async (texts) => (await fetch('similarity', {method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({inputs: {source_sentence: texts[0], sentences: texts.slice(1)}})})).json()""", texts)
    cells = page.locator("#panel-compare tbody tr").first.locator("td").all_text_contents()
    assert cells == ["1.00"] + [f"{cosine:.2f}" for cosine in cosines]


def test_server_tab_counts_the_requests(open_page):
    page, _ = open_page()
    page.click("#tab-server")
    figure = page.locator("#figures .figure", has_text="Requests a second").locator("dd")
    page.wait_for_function("() => document.querySelector('#figures dd').textContent !== '–'")
    deadline = time.time() + 12
    seen = False
    while time.time() < deadline and not seen:
        page.evaluate("fetch('v1/fill', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{\"text\":\"a [MASK]\"}'}).then((r) => r.text())")
        seen = figure.text_content() not in ("–", "0")
    assert seen, page.locator("#figures").text_content()
    assert page.locator("#figures dd").all_text_contents().count("–") <= 2


# --- The key --------------------------------------------------------------------------------------


def test_key_is_asked_for_kept_in_memory_and_sent(open_page):
    page, watch = open_page(KEY_URL, wait=False)
    watch.allowed.append("401")
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.wait_for_selector("#key-form:visible")
    assert page.evaluate("document.activeElement.id") == "key"
    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#key-error').textContent.includes('does not accept')")
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#tab-ask:visible")
    show_result(page, "ask")
    assert not page.locator("#key-form").is_visible()
    assert page.input_value("#key") == ""
    assert KEY not in page.content() and not any(KEY in url for url in urls)
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.reload()
    page.wait_for_selector("#key-form:visible")


# --- Calls for programs ---------------------------------------------------------------------------


@pytest.mark.parametrize("passage", ["It's a \"long\" road\\n 'to' the $HOME `old` town.\nThe 😀 car!", *HOSTILE[:3], HOSTILE[-1]])
def test_shown_programs_make_the_same_call(open_page, tmp_path, passage):
    page, _ = open_page()
    expected = ask(page, passage, "where was it?")
    page.click("#panel-ask summary")
    shell, python = page.locator("#panel-ask pre").all_text_contents()
    output = subprocess.run(["bash", "-c", shell], capture_output=True, cwd=tmp_path, check=True).stdout
    assert json.loads(output)["answers"] == expected.json()["answers"]
    called = []
    (tmp_path / "requests.py").write_text(
        "import json\nclass Reply:\n    def json(self): pass\ndef post(url, json=None, headers=None):\n    called.append((url, json, headers))\n    return Reply()\n"
        "called = []\n")
    environment = dict(os.environ, PYTHONPATH=str(tmp_path))
    code = python + "\nimport json\nprint(json.dumps(requests.called))"
    called = json.loads(subprocess.run(["python3", "-c", code], capture_output=True, env=environment, check=True).stdout)
    assert called == [[URL + "v1/answer", expected.request.post_data_json, None]]
    assert [path.name for path in tmp_path.iterdir() if path.name == "broken"] == []


# --- For everyone ---------------------------------------------------------------------------------


def assert_accessible(page, context):
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options=rules).response["violations"]
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found] == [], context


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_no_violation(open_page, scheme, width):
    page, _ = open_page(width=width, color_scheme=scheme)
    for name in [*TASKS, "server"]:
        page.click(f"#tab-{name}")
        assert_accessible(page, f"{name} empty")
        show_result(page, name)
        if name != "server":
            page.click(f"#panel-{name} summary")
        page.wait_for_timeout(300)
        assert_accessible(page, name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_while_waiting_and_with_the_key(open_page, scheme):
    page, watch = open_page(KEY_URL, wait=False, color_scheme=scheme)
    watch.allowed.append("401")
    page.wait_for_selector("#key-form:visible")
    assert_accessible(page, "key")
    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#key-error').textContent !== ''")
    assert_accessible(page, "wrong key")
    page, watch = open_page(wait=False, color_scheme=scheme, setup=lambda page: page.route(
        "**/health", lambda route: route.fulfill(status=503, json={})))
    watch.allowed.append("503")
    page.wait_for_selector("#waiting:visible")
    assert_accessible(page, "waiting")


def focused(page):
    return page.evaluate("""() => {
      const at = document.activeElement;
      return {name: at.id || at.className, outline: parseFloat(getComputedStyle(at).outlineWidth), style: getComputedStyle(at).outlineStyle};
    }""")


def press_until(page, wanted, key="Tab", most=40):
    for _ in range(most):
        page.keyboard.press(key)
        at = focused(page)
        assert at["outline"] >= 1 and at["style"] != "none", f"no visible focus on {at}"
        if at["name"] == wanted:
            return
    raise AssertionError(f"{wanted} was not reached by {key}")


def test_keyboard_alone_reaches_everything(open_page):
    page, _ = open_page()
    press_until(page, "skip", most=2)
    press_until(page, "tab-ask", most=2)
    page.keyboard.press("End")
    assert focused(page)["name"] == "tab-server" and page.locator("#panel-server").is_visible()
    page.keyboard.press("ArrowRight")
    assert focused(page)["name"] == "tab-ask" and page.locator("#panel-ask").is_visible()
    press_until(page, "ask-passage", most=2)
    press_until(page, "ask-question", most=2)
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel-ask .candidates")
    page.wait_for_function("() => !document.querySelector('.busy')")
    press_until(page, "reading text")
    press_until(page, "candidate", most=2)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("#panel-ask .candidates button").nth(1).get_attribute("aria-pressed") == "true"
    while page.evaluate("document.activeElement.localName") != "summary":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#panel-ask details").get_attribute("open") is not None
    page.locator("#tab-ask").focus()
    for name, field in (("fill", "fill-text"), ("compare", "compare-texts"), ("classify", "classify-text"), ("tag", "tag-text"), ("rank", "rank-query")):
        page.keyboard.press("ArrowRight")
        press_until(page, field, most=2)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(f"#panel-{name} .result .programs")
        page.locator(f"#tab-{name}").focus()


def test_nothing_moves_where_motion_is_reduced(open_page):
    page, watch = open_page(wait=False, reduced_motion="reduce", setup=lambda page: page.route(
        "**/health", lambda route: route.fulfill(status=503, json={})))
    watch.allowed.append("503")
    page.wait_for_selector("#waiting:visible")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


@pytest.mark.parametrize("width, height, scheme, name", [(1280, 900, "light", "light"), (1280, 900, "dark", "dark"), (320, 700, "light", "320px")])
def test_every_tab_fits_its_width(open_page, width, height, scheme, name):
    page, _ = open_page(width=width, height=height, color_scheme=scheme)
    for tab in [*TASKS, "server"]:
        show_result(page, tab)
        page.wait_for_timeout(3000 if tab == "server" else 100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        page.screenshot(path=PICTURES / f"{tab}_{name}.png", full_page=True)


def test_two_models_of_a_task_give_a_choice(open_page):
    models = {"object": "list", "data": [{"id": "one", "task": "fill"}, {"id": "two", "task": "fill"}]}
    reply = {"masks": [[{"token": "word", "probability": 0.5}], [{"token": "word", "probability": 0.5}]]}

    def setup(page):
        page.route("**/v1/models", lambda route: route.fulfill(json=models))
        page.route("**/v1/fill", lambda route: route.fulfill(json=reply))

    page, _ = open_page(setup=setup)
    page.select_option("#fill-model", label="two")
    with page.expect_request("**/v1/fill") as caught:
        submit(page, "fill")
    assert caught.value.post_data_json["model"] == "two"
    assert_accessible(page, "two models")
