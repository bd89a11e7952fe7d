#!/usr/bin/env python3
"""Runs MediaWiki's parser tests (parserTests.txt) through `bertha prepare extract` and counts the
cases whose words are those of the expected HTML. Usage: judge_mediawiki.py parserTests.txt bertha [-v KIND]
See mediawiki.md beside this file."""

import collections
import html
import html.parser
import json
import re
import subprocess
import sys
import tempfile
from xml.sax.saxutils import escape

CLOSING = "The closing sentence of this page stands here."
SKIPPED_OPTIONS = ("pst", "msg", "disabled", "section", "replace", "preload", "comment", "extlinks",
                   "ill", "cat", "showtitle", "showindicators", "showtoc", "djvu", "externallinks",
                   "showflags", "showmedia", "subpage", "title=", "thumbsize", "preprocessor",
                   "local", "styletag", "lastsavedrevision", "wgrawhtml")
# HTML 5 elements that hold no prose, or prose that the extraction leaves out on purpose.
DROPPED = {"table", "figure", "figure-inline", "style", "script", "pre", "h1", "h2", "h3", "h4",
           "h5", "h6", "math", "noscript"}
DROPPED_CLASSES = ("autonumber", "toc", "gallery", "reference", "thumb", "floatright", "floatleft", "floatnone",
                   "mw-editsection", "error", "scribunto")
VOID = {"br", "hr", "img", "meta", "link", "wbr", "input", "col", "area", "base"}

INLINE = {"b", "i", "span", "a", "sub", "sup", "u", "s", "small", "big", "em", "strong", "code", "tt",
          "font", "bdi", "bdo", "abbr", "kbd", "q", "ruby", "rb", "rt", "rp", "rtc", "rbc", "samp", "var",
          "cite", "dfn", "del", "ins", "strike", "mark", "time", "data", "wbr"}
# Tags of MediaWiki, HTML and its test suite; the text of other tags is shown.
FAKE = re.compile(r"</?(langconvert|asidetag|t\u00e5g|mw:|boo|b\u2192|b\u00e4|s\.foo|sub-ID|hello)", re.I)


class Text(html.parser.HTMLParser):
    """The text of an HTML page, without the elements that are dropped; headings apart."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.text, self.headings, self.stack = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in VOID:
            self.text.append(" ")
            return
        classes = attributes.get("class") or ""
        drops = tag in DROPPED or any(c in classes.split() for c in DROPPED_CLASSES) or \
            attributes.get("typeof", "").startswith(("mw:File", "mw:Image"))
        self.stack.append((tag, drops))
        if tag not in INLINE:
            self.text.append(" ")

    def handle_endtag(self, tag):
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i][0] == tag:
                del self.stack[i:]
                break
        if tag not in INLINE:
            self.text.append(" ")

    def handle_data(self, data):
        if any(tag in ("h1", "h2", "h3", "h4", "h5", "h6") for tag, _ in self.stack):
            self.headings.append(data + " ")
        if not any(drops for _, drops in self.stack):
            self.text.append(data)


def words(text):
    for zero in "\u200b\u200e\u200f\u2060\u00ad\ufeff":
        text = text.replace(zero, "")
    return collections.Counter(re.findall(r"\w+", text))


def read_tests(path):
    """Yields (title, sections) of each test; a section is named by its mark without '!!'."""
    sections, name = {}, None
    for line in open(path, encoding="utf-8"):
        mark = re.match(r"!!\s*([^\s].*?)\s*$", line)
        if not mark:
            if name is not None:
                sections[name] = sections.get(name, "") + line
            continue
        name = mark.group(1)
        if name in ("test", "article", "hooks", "functionhooks"):
            sections = {name: ""}
        elif name == "end":
            if "test" in sections:
                yield sections["test"].strip(), sections
            name = None
        elif name.startswith("end"):
            name = None


def expected_html(sections):
    for name in ("html/php+tidy", "html+tidy", "html/php", "html", "html/*", "result"):
        if name in sections:
            return sections[name]
    return None


def cannot_be_judged(wikitext, expected):
    """External images, normalised URLs, and what MediaWiki writes for its own interwiki table."""
    shows_image = "<img" in expected and "[[" not in wikitext
    normalises_url = re.search(r"\w+://[^\s\]]*&[#\w]+;", wikitext)
    return shows_image or normalises_url or re.search(r"\[\[\s*(mi|mul):", wikitext)


def kind_of(wikitext, options, expected):
    if "<pre" in expected:
        return "pre"
    if "-{" in wikitext or "variant" in options or "language=" in options:
        return "variants"
    if re.search(r"\{\{|\}\}", wikitext):
        return "templates"
    if re.search(r"<(pre|gallery|noinclude|includeonly|onlyinclude|poem|math|timeline|syntaxhighlight|source|imagemap|tag|statictag|html|translate|indicator|ref|references|section|embed|aside|noinclude)\b", wikitext, re.I) or re.search(r"(?m)^ \S", wikitext):
        return "pre"
    if re.search(r"\{\||<table|<td|<tr|<th\b|^\|", wikitext, re.I | re.M):
        return "tables"
    if re.search(r"\[\[\s*:?\s*(File|Image|Media|Category|Talk|User|Special|Template|MediaWiki|MemoryAlpha|Meatball|es|zh|ru|fr|de|ja|ko|local)[^\]]*:", wikitext, re.I):
        return "files"
    return "plain"


def cases_of(path):
    for title, sections in read_tests(path):
        wikitext = sections.get("wikitext", sections.get("input"))
        expected = expected_html(sections)
        options = sections.get("options", "")
        if wikitext is None or expected is None:
            continue
        if any(re.search(r"(?<![\w])" + re.escape(o), options) for o in SKIPPED_OPTIONS):
            continue
        if FAKE.search(wikitext) or cannot_be_judged(wikitext, expected):
            continue
        yield title, wikitext, expected, kind_of(wikitext, options, expected)


def dump_of(cases):
    pages = []
    for number, (_, wikitext, _, _) in enumerate(cases, 1):
        text = escape(wikitext.rstrip("\n") + "\n\n" + CLOSING)
        pages.append(f"<page><title>Page {number}</title><ns>0</ns><id>{number}</id><revision>"
                     f"<id>{number}</id><text xml:space=\"preserve\">{text}</text></revision></page>")
    text = "".join(pages)
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)
    return "<mediawiki>" + text + "</mediawiki>"


def extracted(program, dump):
    with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
        file.write(dump)
        file.flush()
        out = subprocess.run([program, "prepare", "extract", file.name, "-o", "-", "--json",
                              "--lists", "all", "--quiet"], stdout=subprocess.PIPE, check=True,
                             stderr=subprocess.DEVNULL)
    articles = (json.loads(line) for line in out.stdout.decode().splitlines())
    return {int(article["id"]): article["text"] for article in articles}


RESIDUE = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|'''?|</?(ref|span|div|nowiki|i|b)\b|^\||[\x01-\x08\x7f]", re.M)


def main():
    path, program = sys.argv[1:3]
    shown = sys.argv[4] if len(sys.argv) > 4 else None
    cases = list(cases_of(path))
    texts = extracted(program, dump_of(cases))
    table = collections.defaultdict(collections.Counter)
    for number, (title, wikitext, expected, kind) in enumerate(cases, 1):
        parser = Text()
        parser.feed(expected)
        want = words("".join(parser.text) + " " + CLOSING)
        allowed = words("".join(parser.headings))
        text = texts.get(number, "")
        got = words(text)
        lost, added = want - got, got - want - allowed
        residue = [m.group() for m in RESIDUE.finditer(text)
                   if text.count(m.group()) > ("".join(parser.text) + "".join(parser.headings)).count(m.group())]
        row = table[kind]
        row["judged"] += 1
        row["words"] += sum(want.values()) - 8
        row["lost"] += sum(lost.values())
        row["added cases"] += bool(added)
        row["residue cases"] += bool(residue)
        row["swallowed"] += CLOSING not in text
        clean = not lost and not added and not residue
        row["clean"] += clean
        if shown == kind and not clean:
            print(f"--- {title}\n{wikitext.rstrip()}\n  >> {text!r}\n  == {' '.join(''.join(parser.text).split())!r}"
                  f"\n  lost {dict(lost)} added {dict(added)} residue {residue}")
    for kind, row in table.items():
        print(f"{kind:10} judged {row['judged']:4}  clean {row['clean']:4} "
              f"({100 * row['clean'] / row['judged']:.1f} %)  words lost {row['lost']} of {row['words']}, "
              f"cases with added words {row['added cases']}, with residue {row['residue cases']}, "
              f"swallowed {row['swallowed']}")


main()
