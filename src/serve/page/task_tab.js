// What the tabs of tasks have in common: a form whose request is sent, aborted by the next one, and shown.

import {byId, element} from "./elements.js";
import {ServerError} from "./requests.js";

// run(model, signal) sends the request and returns a function that shows the result in a box; it throws an
// Error whose message is for the user if the form is not complete.
export function taskTab(name, models, onKeyRefused, run) {
  const panel = byId(`panel-${name}`);
  const form = panel.querySelector("form");
  const message = panel.querySelector(".message");
  const result = panel.querySelector(".result");
  const model = modelChoice(name, models, panel.querySelector(".model"));
  let running;

  async function submit() {
    running?.abort();
    const mine = running = new AbortController();
    message.textContent = "";
    const slow = setTimeout(() => panel.classList.add("busy"), 150);
    result.setAttribute("aria-busy", "true");
    try {
      const show = await run(model(), mine.signal);
      if (mine !== running) return;
      result.replaceChildren();
      show(result);
      revealBelow(result);
    } catch (error) {
      if (mine !== running) return;
      if (error.name === "AbortError") return;
      result.replaceChildren();
      message.textContent = error.message;
      if (error instanceof ServerError && error.status === 401) onKeyRefused();
    } finally {
      clearTimeout(slow);
      if (mine === running) {
        panel.classList.remove("busy");
        result.removeAttribute("aria-busy");
      }
    }
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); submit(); }
  });
  return submit;
}

// Where the result lies below the form, as on a narrow screen, the window scrolls to it.
function revealBelow(result) {
  if (result.getBoundingClientRect().top > window.innerHeight * 0.8) result.scrollIntoView({block: "start"});
}

// Shows the model's name, or a list where several are served. Returns a function that gives the chosen one.
function modelChoice(name, models, place) {
  if (models.length < 2) {
    place.textContent = models[0]?.id ?? "";
    return () => models[0];
  }
  const select = element("select", {id: `${name}-model`},
    ...models.map((model, index) => element("option", {value: index}, model.id)));
  place.append(element("label", {for: select.id, class: "unseen"}, "Model"), select);
  return () => models[Number(select.value)];
}

// The list of candidates: text, bar and number a row. `onChoose(index)`, if given, makes each row a button
// that also answers to the pointer. Row `first` is chosen at the start, none if it is -1.
export function candidateList(label, rows, onChoose, first = 0) {
  const list = element("ol", {class: "candidates", "aria-label": label});
  const buttons = rows.map((row, index) => {
    const content = [element("span", {class: "what"}, row.text), row.bar, element("span", {class: "number"}, row.number)];
    if (!onChoose) {
      list.append(element("li", {}, element("div", {class: "candidate"}, ...content)));
      return undefined;
    }
    const button = element("button", {type: "button", class: "candidate", "aria-pressed": String(index === first)}, ...content);
    button.addEventListener("click", () => choose(index));
    button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") onChoose(index); });
    list.append(element("li", {}, button));
    return button;
  });
  let chosen = first;
  if (onChoose) list.addEventListener("pointerleave", () => onChoose(chosen));
  function choose(index) {
    chosen = index;
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(place === index)));
    onChoose(index);
  }
  return list;
}
