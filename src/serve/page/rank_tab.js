// Rank: texts in the order in which they answer a query.

import {bar, byId, element, linesOf, programs} from "./elements.js";
import {call, hasKey} from "./requests.js";
import {candidateList, taskTab} from "./task_tab.js";

const example = {
  query: "Where did the first drivers buy fuel?",
  texts: [
    "A shoemaker in Bauschlott nailed leather to the brakes.",
    "The pharmacist of Wiesloch sold ligroin to Bertha Benz in 1888.",
    "Petrol was a cleaning fluid, sold by the bottle in pharmacies.",
    "The telegram arrived in Mannheim in the evening.",
  ],
};

export function startRankTab(models, onKeyRefused) {
  const query = byId("rank-query");
  const texts = byId("rank-texts");
  query.value = example.query;
  texts.value = example.texts.join("\n");
  taskTab("rank", models, onKeyRefused, async (model, signal) => {
    const documents = linesOf(texts.value);
    if (!query.value.trim()) throw new Error("Write a query first.");
    if (documents.length === 0) throw new Error("Write at least one text.");
    const body = {model: model.id, query: query.value.trim(), documents};
    const reply = await call("v1/rerank", body, signal);
    return (box) => show(box, reply.results, body);
  });
}

function show(box, results, body) {
  const rows = results.map(({index, relevance_score: score}) => ({
    text: body.documents[index], bar: bar(score), number: score.toFixed(3)}));
  const list = candidateList("Texts by relevance", rows);
  list.classList.add("long");
  box.append(list, programs("v1/rerank", body, hasKey()));
}
