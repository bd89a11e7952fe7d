// Classify: the labels of a text, or of a pair of texts.

import {bar, byId, element, percent, programs} from "./elements.js";
import {call, hasKey} from "./requests.js";
import {candidateList, taskTab} from "./task_tab.js";

export function startClassifyTab(models, onKeyRefused) {
  const text = byId("classify-text");
  const pair = byId("classify-pair");
  text.value = "The drive was long and the brakes smoked, but what a splendid day it was.";
  taskTab("classify", models, onKeyRefused, async (model, signal) => {
    if (!text.value.trim()) throw new Error("Write a text first.");
    const second = pair.value.trim();
    const body = {inputs: second ? {text: text.value, text_pair: pair.value} : text.value, parameters: {top_k: 10}};
    const path = `models/${encodeURIComponent(model.id)}`;
    const reply = await call(path, body, signal);
    return (box) => show(box, reply[0], path, body);
  });
}

function show(box, labels, path, body) {
  box.append(element("p", {class: "answer text"}, labels[0].label),
    candidateList("Labels", labels.map(({label, score}) => ({text: label, bar: bar(score), number: percent(score)}))),
    programs(path, body, hasKey()));
}
