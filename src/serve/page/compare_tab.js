// Compare: how near texts are to each other, as a table whose cells are also a heat map.

import {byId, element, linesOf, programs} from "./elements.js";
import {call, hasKey} from "./requests.js";
import {taskTab} from "./task_tab.js";

const mostTexts = 40;
const example = [
  "The train to Pforzheim leaves at seven.",
  "Our express departs for Pforzheim at 7 am.",
  "She repaired the engine with a hat pin.",
  "A pin from her hat was enough to mend the motor.",
  "The bakery sells bread and poppy-seed cake.",
];

export function startCompareTab(models, onKeyRefused) {
  const texts = byId("compare-texts");
  texts.value = example.join("\n");
  taskTab("compare", models, onKeyRefused, async (model, signal) => {
    const lines = linesOf(texts.value);
    if (lines.length < 2) throw new Error("Write at least two texts, each on its own line.");
    if (lines.length > mostTexts) throw new Error(`This table takes up to ${mostTexts} texts. There are ${lines.length}.`);
    const body = {model: model.id, input: lines};
    const reply = await call("v1/embeddings", {...body, encoding_format: "base64"}, signal);
    const rows = similarities(reply.data.sort((a, b) => a.index - b.index).map((item) => unitVector(item.embedding)));
    return (box) => show(box, lines, rows, body);
  });
}

// Little-endian float32 in base64, scaled to length 1.
function unitVector(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const values = Float64Array.from({length: bytes.length / 4}, (_, index) => view.getFloat32(4 * index, true));
  const length = Math.hypot(...values) || 1;
  return values.map((value) => value / length);
}

const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
const similarities = (vectors) => vectors.map((a) => vectors.map((b) => dot(a, b)));

function nearestPair(rows) {
  let best = {value: -Infinity};
  for (let i = 0; i < rows.length; ++i) {
    for (let j = i + 1; j < rows.length; ++j) {
      if (rows[i][j] > best.value) best = {value: rows[i][j], i, j};
    }
  }
  return best;
}

function show(box, lines, rows, body) {
  const best = nearestPair(rows);
  box.append(element("div", {class: "pair text"}, element("p", {}, lines[best.i]), element("p", {}, lines[best.j])),
    element("p", {class: "hint"}, `The nearest two: texts ${best.i + 1} and ${best.j + 1}, similarity ${best.value.toFixed(2)}.`),
    element("div", {class: "scroll", role: "region", "aria-label": "Similarity of each pair", tabindex: "0"}, table(lines, rows, best)),
    element("p", {class: "hint scale"}, "0 ", element("span", {class: "ramp", "aria-hidden": "true"}), " 1, the cosine of the two texts’ vectors"),
    programs("v1/embeddings", body, hasKey()));
}

function table(lines, rows, best) {
  const head = element("tr", {}, element("td"),
    ...lines.map((line, index) => element("th", {scope: "col", title: line}, String(index + 1))));
  const body = rows.map((row, i) => element("tr", {},
    element("th", {scope: "row", title: lines[i]}, element("span", {class: "index"}, String(i + 1)), element("span", {class: "line"}, lines[i])),
    ...row.map((value, j) => cell(value, i === j, (i === best.i && j === best.j) || (i === best.j && j === best.i)))));
  return element("table", {class: "heat"}, element("thead", {}, head), element("tbody", {}, ...body));
}

function cell(value, same, best) {
  const made = element("td", {class: same ? "same" : best ? "best" : false}, value.toFixed(2));
  made.style.setProperty("--heat", Math.max(0, Math.min(1, value)));
  return made;
}
