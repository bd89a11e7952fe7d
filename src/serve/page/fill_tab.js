// Fill: the words that fit the gaps of a text.

import {bar, byId, element, percent, programs} from "./elements.js";
import {call, hasKey} from "./requests.js";
import {candidateList, taskTab} from "./task_tab.js";

const maskOf = (model) => model?.mask_token ?? "[MASK]";

export function startFillTab(models, onKeyRefused) {
  const text = byId("fill-text");
  const mask = maskOf(models[0]);
  text.value = `The ship left the ${mask} at dawn, and nobody ${mask} it again.`;
  document.querySelector("#panel-fill .mask-token").textContent = mask;
  byId("fill-insert").addEventListener("click", () => {
    text.setRangeText(mask, text.selectionStart, text.selectionEnd, "end");
    text.focus();
  });
  taskTab("fill", models, onKeyRefused, async (model, signal) => {
    const gap = maskOf(model);
    if (!text.value.includes(gap)) throw new Error(`Write ${gap} where a word is missing.`);
    const body = {model: model.id, text: text.value, top: 5};
    const reply = await call("v1/fill", body, signal);
    return (box) => show(box, reply.masks, body, gap);
  });
}

const word = (token) => token.replace(/^##/, "");

function show(box, gaps, body, mask) {
  const parts = body.text.split(mask);
  const chosen = gaps.map(() => 0);
  const sentence = element("p", {class: "answer text filled"});
  const write = () => {
    sentence.replaceChildren(...parts.flatMap((part, index) => (index < gaps.length ?
      [part, element("mark", {}, word(gaps[index][chosen[index]].token))] : [part + (index + 1 < parts.length ? mask : "")])));
  };
  write();
  box.append(sentence);
  gaps.forEach((candidates, index) => {
    const title = gaps.length === 1 ? "Candidates" : `Gap ${index + 1}`;
    const rows = candidates.map((candidate) => ({
      text: candidate.token, bar: bar(candidate.probability), number: percent(candidate.probability)}));
    box.append(element("h2", {class: "minor"}, title), candidateList(title, rows, (row) => { chosen[index] = row; write(); }));
  });
  box.append(programs("v1/fill", body, hasKey()));
}
