// Ask: the answer to a question, marked in its passage.

import {bar, byId, count, element, milliseconds, percent, programs} from "./elements.js";
import {call, hasKey} from "./requests.js";
import {candidateList, taskTab} from "./task_tab.js";

const example = {
  passage: "Early one morning in August 1888, Bertha Benz set out from Mannheim with her sons Eugen and Richard " +
    "in the motor car that her husband had built. She had not told him. Nobody had driven so far before: " +
    "Pforzheim, where her mother lived, was 106 kilometres away.\n\n" +
    "The car had no fuel tank to speak of, so she bought ligroin from the pharmacist of Wiesloch, who thereby " +
    "kept the first filling station in the world. She cleared a blocked fuel line with her hat pin and " +
    "insulated a worn wire with a garter. When the wooden brakes began to fail, a shoemaker in Bauschlott " +
    "nailed leather to them, and the brake lining was invented. They arrived at dusk and sent a telegram home.",
  question: "What did she use to clear the fuel line?",
};

export function startAskTab(models, onKeyRefused) {
  const passage = byId("ask-passage");
  const question = byId("ask-question");
  passage.value = example.passage;
  question.value = example.question;
  taskTab("ask", models, onKeyRefused, async (model, signal) => {
    // The value of a text area has "\n" for each line end, whatever was pasted. It is what the server gets,
    // so the offsets fit it.
    const asked = {passage: passage.value, question: question.value.trim()};
    if (!asked.passage.trim()) throw new Error("Write or paste a passage first.");
    if (!asked.question) throw new Error("Write a question first.");
    const body = {model: model.id, ...asked, top: 5, offsets: "utf16"};
    const started = performance.now();
    const reply = await call("v1/answer", body, signal);
    const took = performance.now() - started;
    return (box) => show(box, reply, body, took);
  });
}

function show(box, reply, body, took) {
  const answer = reply.answers[0];
  const best = answer.best.filter((candidate) => candidate.end > candidate.start);
  const reading = element("div", {class: "reading text", role: "group", "aria-label": "Passage with the answer marked", tabindex: "0"});
  const first = answer.no_answer ? -1 : 0;
  const mark = (index) => markIn(reading, body.passage, best[index]);
  box.append(headline(answer, best));
  if (best.length > 0) {
    mark(first);
    box.append(reading);
    box.append(element("h2", {class: "minor"}, "Candidates"), candidateList("Candidates", best.map((candidate) => ({
      text: candidate.text, bar: bar(candidate.confidence), number: percent(candidate.confidence)})), mark, first));
  }
  box.append(...noAnswer(answer), facts(answer, reply, took), programs("v1/answer", body, hasKey()));
  scrollToMark(reading);
}

function headline(answer, best) {
  if (answer.no_answer || best.length === 0) {
    return element("p", {class: "answer none"}, "The passage does not seem to answer this.");
  }
  return element("p", {class: "answer text"}, best[0].text);
}

function noAnswer(answer) {
  const share = answer.no_answer_confidence;
  if (typeof share !== "number") return [];
  return [element("div", {class: "candidate lone"}, element("span", {class: "what"}, "No answer in the passage"),
    bar(share), element("span", {class: "number"}, percent(share)))];
}

function facts(answer, reply, took) {
  const parts = [];
  if (answer.windows) parts.push(`Read in ${count(answer.windows, "window")}`);
  if (reply.usage?.tokens) parts.push(count(reply.usage.tokens, "token"));
  parts.push(milliseconds(took));
  if (answer.windows_skipped) parts.push(`${count(answer.windows_skipped, "window")} not read`);
  if (answer.question_truncated) parts.push("the question was cut");
  return element("p", {class: "facts hint"}, parts.join(" · "));
}

// The passage in three text nodes, the middle one marked. Offsets count UTF-16 units, as strings here do.
function markIn(reading, passage, candidate) {
  if (!candidate) {
    reading.replaceChildren(passage);
    return;
  }
  const {start, end} = candidate;
  reading.replaceChildren(passage.slice(0, start), element("mark", {}, passage.slice(start, end)), passage.slice(end));
  scrollToMark(reading);
}

// Scrolls the passage's own box, not the page.
function scrollToMark(reading) {
  const mark = reading.querySelector("mark");
  if (!mark) return;
  const above = mark.offsetTop;
  if (above < reading.scrollTop || above + mark.offsetHeight > reading.scrollTop + reading.clientHeight) {
    reading.scrollTop = above - reading.clientHeight / 3;
  }
}
