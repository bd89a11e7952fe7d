// Tag: the names in a text, marked where they stand.

import {bar, byId, element, percent, programs} from "./elements.js";
import {call, hasKey} from "./requests.js";
import {candidateList, taskTab} from "./task_tab.js";

export function startTagTab(models, onKeyRefused) {
  const text = byId("tag-text");
  text.value = "Bertha Benz drove from Mannheim to Pforzheim in August 1888, with her sons Eugen and Richard.";
  taskTab("tag", models, onKeyRefused, async (model, signal) => {
    if (!text.value.trim()) throw new Error("Write a text first.");
    const body = {inputs: text.value, parameters: {aggregation_strategy: "first", stride: 16}};
    const path = `models/${encodeURIComponent(model.id)}`;
    const spans = await call(path, body, signal);
    return (box) => show(box, spans, path, body);
  });
}

function show(box, spans, path, body) {
  box.append(element("div", {class: "reading text", role: "group", "aria-label": "Text with the names marked", tabindex: "0"},
    ...marked(body.inputs, spans)));
  if (spans.length === 0) box.append(element("p", {class: "answer none"}, "The model finds no name in this text."));
  else {
    box.append(candidateList("Names", spans.map(({entity_group: type, word, score}) => ({
      text: `${type}: ${word}`, bar: bar(score), number: percent(score)}))));
  }
  box.append(programs(path, body, hasKey()));
}

// The text in pieces, each span with its type behind it. Places count code points, as an array of them does.
function marked(text, spans) {
  const points = Array.from(text);
  const pieces = [];
  let end = 0;
  for (const span of spans) {
    pieces.push(points.slice(end, span.start).join(""),
      element("mark", {}, points.slice(span.start, span.end).join(""), element("span", {class: "type"}, ` ${span.entity_group}`)));
    end = span.end;
  }
  return [...pieces, points.slice(end).join("")];
}
