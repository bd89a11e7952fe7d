"""The browser, and what every test of the page asserts: no console message, no request to another origin."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

URL = os.environ["BERTHA_URL"]
PICTURES = Path(os.environ.get("BERTHA_PICTURES", "."))


def chromium():
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and shutil.which(name):
            return shutil.which(name)
    raise RuntimeError("no Chromium: install Debian's package chromium, or set CHROMIUM to a program")


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # --no-sandbox: Chromium refuses its sandbox to root, as which containers run.
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


class Watch:
    """Collects what a page must not do. `allowed` are parts of console messages that a test provokes."""

    def __init__(self, page):
        self.faults = []
        self.allowed = []
        page.on("console", self.on_console)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("dialog", self.on_dialog)
        page.on("request", self.on_request)
        page.on("popup", lambda popup: self.faults.append(f"popup: {popup.url}"))

    def on_console(self, message):
        if not any(part in message.text for part in self.allowed):
            self.faults.append(f"console {message.type}: {message.text}")

    def on_dialog(self, dialog):
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(self, request):
        if not request.url.startswith(("data:", *self.origins())):
            self.faults.append(f"request to {request.url}")

    @staticmethod
    def origins():
        return [URL, os.environ.get("BERTHA_KEY_URL", URL)]


@pytest.fixture
def open_page(browser):
    """open_page(url, width, height, …) gives a page and its watch; faults fail the test at its end."""
    contexts, watches = [], []

    def open_one(url=URL, width=1280, height=900, setup=lambda page: None, wait=True, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        page.set_default_timeout(10_000)
        watch = Watch(page)
        contexts.append(context)
        watches.append(watch)
        setup(page)
        page.goto(url)
        if wait:
            page.wait_for_selector("#tab-server:visible")
        return page, watch

    yield open_one
    for context in contexts:
        context.close()
    assert [fault for watch in watches for fault in watch.faults] == []
