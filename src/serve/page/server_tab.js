// Server: what it does now, from /metrics every two seconds, and its models.

import {byId, count, element, milliseconds} from "./elements.js";
import {parseMetrics, quantile, total} from "./metrics_text.js";
import {callForText} from "./requests.js";

const periodMs = 2000;
const kept = 60;
const duration = "te_request_duration";
const routes = {
  answer: "v1/answer", fill: "v1/fill", embed: "v1/embeddings, embed", classify: "predict, classify",
  rerank: "rerank, v1/rerank"};

const rate = (name) => (before, after, seconds) => {
  const now = total(after, name);
  return now === undefined ? undefined : (now - (total(before, name) ?? 0)) / seconds;
};
const busyShare = (before, after, seconds) => rate("bertha_lane_busy_seconds_total")(before, after, seconds) /
  (total(after, "bertha_lanes") || 1);
const now = (name) => (_, after) => total(after, name);
const milli = (seconds) => milliseconds(1000 * seconds);
const plain = (value) => (value >= 100 || value === 0 ? Math.round(value) : value.toPrecision(2)).toLocaleString("en");
const memory = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`);

// What a tile shows: its value from two readings, and how it is written.
const tiles = [
  {name: "Requests a second", value: rate("te_request_count"), write: plain},
  {name: "Tokens a second", value: rate("bertha_batch_tokens_total"), write: plain},
  {name: "Median time", value: (a, b) => quantile(a, b, duration, 0.5), write: milli},
  {name: "99th percentile", value: (a, b) => quantile(a, b, duration, 0.99), write: milli},
  {name: "Predicted wait in the queue", value: now("bertha_queue_wait_predicted_seconds"), write: milli},
  {name: "Refused as too many, a second", value: rate("bertha_refused_total"), write: plain},
  {name: "Share of the time computing", value: busyShare, write: (share) => `${Math.round(100 * share)} %`},
  {name: "Memory", value: now("process_resident_memory_bytes"), write: memory},
];

export function startServerTab(models, onKeyRefused) {
  const panel = byId("panel-server");
  const message = panel.querySelector(".message");
  const shown = tiles.map((tile) => ({...tile, ...tileElement(tile.name), history: []}));
  byId("figures").append(...shown.map(({box}) => box));
  listModels(models);
  let before;

  async function read() {
    if (panel.hidden || document.hidden) { before = undefined; return; }
    try {
      const after = {families: parseMetrics(await callForText("metrics")), at: performance.now()};
      if (before) for (const tile of shown) update(tile, before, after);
      before = after;
      message.textContent = "";
    } catch (error) {
      before = undefined;
      message.textContent = error.message;
      if (error.status === 401) onKeyRefused();
    }
  }
  setInterval(read, periodMs);
  // A second reading soon after the first shows figures without a wait of two seconds.
  return async () => { await read(); setTimeout(read, 400); };
}

function tileElement(name) {
  const number = element("dd", {}, "–");
  const line = spark();
  return {number, line, box: element("dl", {class: "figure"}, element("dt", {}, name), number, line.parentNode)};
}

// A small line of the last values. The number above it says the same, so readers of screens skip it.
function spark() {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  for (const [name, value] of [["viewBox", "0 0 120 28"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"], ["class", "spark"]]) {
    picture.setAttribute(name, value);
  }
  const line = document.createElementNS(space, "polyline");
  picture.append(line);
  return line;
}

function update(tile, before, after) {
  const value = tile.value(before.families, after.families, (after.at - before.at) / 1000);
  tile.number.textContent = Number.isFinite(value) ? tile.write(value) : "–";
  tile.history.push(Number.isFinite(value) ? value : 0);
  if (tile.history.length > kept) tile.history.shift();
  const most = Math.max(...tile.history) || 1;
  const first = kept - tile.history.length;
  tile.line.setAttribute("points", tile.history
    .map((item, index) => `${((first + index) * 120 / (kept - 1)).toFixed(1)},${(26 - 24 * item / most).toFixed(1)}`).join(" "));
}

function listModels(models) {
  byId("models").tBodies[0].append(...models.map((model) => element("tr", {},
    element("th", {scope: "row"}, model.id),
    element("td", {}, model.task + (model.max_tokens ? `, to ${count(model.max_tokens, "token")}` : "")),
    element("td", {}, element("code", {}, routes[model.task] ?? "–")))));
}
