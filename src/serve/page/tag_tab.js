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
  const points = Array.from(body.inputs);  // places count code points
  const partOf = ({start, end}) => points.slice(start, end).join("");
  box.append(element("div", {class: "reading text", role: "group", "aria-label": "Text with the names marked", tabindex: "0"},
    ...marked(spans, points.length, partOf)));
  if (spans.length === 0) box.append(element("p", {class: "answer none"}, "The model finds no name in this text."));
  else {
    box.append(candidateList("Names", spans.map((span) => ({
      text: `${span.entity_group}: ${partOf(span)}`, bar: bar(span.score), number: percent(span.score)}))));
  }
  box.append(programs(path, body, hasKey()));
}

// The text in pieces, each span with its type behind it.
function marked(spans, length, partOf) {
  const pieces = [];
  let end = 0;
  for (const span of spans) {
    pieces.push(partOf({start: end, end: span.start}),
      element("mark", {}, partOf(span), element("span", {class: "type"}, ` ${span.entity_group}`)));
    end = span.end;
  }
  return [...pieces, partOf({start: end, end: length})];
}
