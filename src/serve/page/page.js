// The page's start: waits for the server, asks for a key if it needs one, and shows the tabs of the tasks
// whose models it serves.

import {startAskTab} from "./ask_tab.js";
import {startClassifyTab} from "./classify_tab.js";
import {startCompareTab} from "./compare_tab.js";
import {byId, count} from "./elements.js";
import {startFillTab} from "./fill_tab.js";
import {startRankTab} from "./rank_tab.js";
import {call, callForText, setKey, watchStatus} from "./requests.js";
import {startServerTab} from "./server_tab.js";
import {startTagTab} from "./tag_tab.js";

const tabs = [
  {name: "ask", task: "answer", start: startAskTab},
  {name: "fill", task: "fill", start: startFillTab},
  {name: "compare", task: "embed", start: startCompareTab},
  {name: "classify", task: "classify", start: startClassifyTab},
  {name: "tag", task: "tag", start: startTagTab},
  {name: "rank", task: "rerank", start: startRankTab},
  {name: "server", start: startServerTab},
];
const tabOf = ({name}) => byId(`tab-${name}`);
const panelOf = ({name}) => byId(`panel-${name}`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function setStatus(kind, text) {
  if (byId("status").textContent === text) return;
  byId("status").className = `status ${kind}`;
  byId("status").textContent = text;
}

// Resolves when the server is ready.
async function ready() {
  for (;;) {
    try {
      await callForText("health");
      byId("waiting").hidden = true;
      return;
    } catch (error) {
      const loading = error.status === 503;
      setStatus("busy", loading ? "Loading" : "No connection");
      byId("waiting-title").textContent = loading ? "The server is loading its models" : "The server does not answer";
      byId("waiting-text").textContent = loading ? "This page continues by itself when they are ready."
        : "It may have stopped, or the connection is lost. This page tries again every second.";
      byId("waiting").hidden = false;
    }
    await pause(1000);
  }
}

let shown = [];

// Shows the form for the key. Resolves with the server's models when it accepts one.
function askForKey(refused) {
  const form = byId("key-form");
  form.hidden = false;
  byId("key-error").textContent = refused ? "The server does not accept this key." : "";
  byId("key").focus();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      setKey(byId("key").value.trim());
      try {
        const models = await call("v1/models");
        form.hidden = true;
        byId("key").value = "";
        byId("key-error").textContent = "";
        resolve(models);
      } catch (error) {
        byId("key-error").textContent = error.message;
        byId("key").select();
      }
    };
  });
}

async function listOfModels() {
  try {
    return (await call("v1/models")).data;
  } catch (error) {
    if (error.status !== 401) throw error;
    setStatus("busy", "Key needed");
    return (await askForKey(false)).data;
  }
}

function select(tab, focus) {
  for (const other of shown) {
    const chosen = other === tab;
    tabOf(other).setAttribute("aria-selected", String(chosen));
    tabOf(other).tabIndex = chosen ? 0 : -1;
    panelOf(other).hidden = !chosen;
  }
  if (focus) tabOf(tab).focus();
  history.replaceState(null, "", `#${tab.name}`);
  tab.onShow?.();
}

// Arrows move along the tabs and choose, as ARIA's pattern of tabs has it.
function onTabKey(event) {
  const at = shown.findIndex((tab) => tabOf(tab) === event.target);
  const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: shown.length - 1}[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  select(shown[(to + shown.length) % shown.length], true);
}

function showTabs(models) {
  const onKeyRefused = () => askForKey(true);
  shown = tabs.filter(({task}) => !task || models.some((model) => model.task === task));
  for (const tab of shown) {
    tab.onShow = tab.start(tab.task ? models.filter((model) => model.task === tab.task) : models, onKeyRefused);
    tabOf(tab).hidden = false;
    tabOf(tab).addEventListener("click", () => select(tab, false));
  }
  byId("tabs").addEventListener("keydown", onTabKey);
  byId("tabs").hidden = false;
  select(shown.find(({name}) => location.hash === `#${name}`) ?? shown[0], false);
}

async function start() {
  await ready();
  try {
    const models = await listOfModels();
    showTabs(models);
    const good = `Ready, ${count(models.length, "model")}`;
    setStatus("good", good);
    watchStatus((status) => {
      if (status === 0) setStatus("bad", "No connection");
      else if (status === 503) setStatus("busy", "Not ready");
      else setStatus("good", good);
    });
  } catch (error) {
    setStatus("bad", error.message);
  }
}

start();
