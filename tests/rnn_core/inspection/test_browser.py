"""The pages in a real browser: nothing on the console, nothing fetched, no wider than the screen, on paper too."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.__main__ import main
from rnn_core.inspection import report, worksheet
from rnn_core.inspection.pages import html
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

from .browser import Browser, find_browser
from .graphs import jordan
from .test_graphs import two_inputs

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="there is no Chromium (Debian: apt-get install chromium)"
)

WIDTHS = [360, 768, 1920]
A4 = 794  # CSS pixels

WIDER_THAN_THE_SCREEN = """
[...document.querySelectorAll("body *")]
  .filter(e => !e.closest(".scroll *") && e.getBoundingClientRect().right > %d + 0.5)
  .map(e => e.tagName + ": " + e.textContent.slice(0, 60))
"""
"""What sticks out, but for what lies in a box that scrolls by itself."""

BROKEN_IMAGES = (
    "[...document.images].filter(i => !i.complete || !i.naturalWidth || i.getBoundingClientRect().width < 50).length"
)


@pytest.fixture(scope="module")
def browser():
    with Browser(find_browser()) as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    assert main(["inspect", "tutorial", "--seeds", "2", "--epochs", "2", "--out", str(folder / "tutorial.html")]) == 0
    layers = [SimpleRNN(40, return_sequences=True, name="a_name_" * 6), SimpleRNN(8), Dense(3)]
    model = Sequential([Input((60, 7)), *layers])
    model.compile(loss="mse", optimizer="rmsprop", metrics=["mae"])
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((30, 60, 7)), draws.standard_normal((30, 3))
    history = model.fit(x, y, validation_split=0.2, epochs=3, verbose=0)
    report(model, x, y, folder / "long.html", history=history, title="A" * 80)
    report(*two_inputs(), folder / "graph.html")
    report(*jordan(True, "float32")[:3], folder / "jordan.html")
    worksheet(units=3, timesteps=4).save(folder)
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["tutorial", "long", "graph", "jordan", "worksheet", "worksheet-answers"])
def test_a_page_in_the_browser(browser, pages, name, width):
    browser.open(pages / f"{name}.html", width)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(WIDER_THAN_THE_SCREEN % width) == []
    assert browser.evaluate(BROKEN_IMAGES) == 0
    assert browser.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 16
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("data:", "file:"))] == []
    assert sum(url.startswith("file:") for url in browser.requests) == 1


def test_phones_get_the_narrow_pictures(browser, pages):
    sources = "[...document.querySelectorAll('picture img')].map(i => i.currentSrc === i.src)"
    browser.open(pages / "tutorial.html", 360)
    assert not any(browser.evaluate(sources))
    browser.open(pages / "tutorial.html", 1920)
    assert all(browser.evaluate(sources))


def test_links_lead_to_their_sections(browser, pages):
    browser.open(pages / "tutorial.html", 1920)
    broken = "[...document.links].filter(a => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).length"
    assert browser.evaluate("document.links.length") >= 10
    assert browser.evaluate(broken) == 0


@pytest.mark.parametrize("name", ["tutorial", "worksheet", "worksheet-answers"])
def test_on_paper(browser, pages, name):
    browser.open(pages / f"{name}.html", A4, media="print")
    assert browser.evaluate("document.documentElement.scrollWidth") <= A4
    if name == "worksheet":
        assert browser.pdf_pages() == 2


def test_what_is_wrong_is_found(browser, tmp_path):
    """The checks above see an error, a request and an overflow where there are some."""
    wide = '<div style="width: 900px">wide</div><img src="missing.png" alt=""><script>console.error("x"); y()</script>'
    browser.open(html.write(tmp_path / "bad.html", html.page("Bad", [wide], [])), 360)
    assert browser.evaluate("document.documentElement.scrollWidth") > 360
    assert len(browser.evaluate(WIDER_THAN_THE_SCREEN % 360)) == 1
    assert browser.evaluate(BROKEN_IMAGES) == 1
    assert len(browser.complaints) >= 3
