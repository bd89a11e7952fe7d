// Small builders for the parts that the tabs share. Text enters the document through textContent alone:
// passages and labels are not trusted, and may hold markup.

export const byId = (id) => document.getElementById(id);

// element("p", {class: "hint", "aria-label": "…"}, "text", child…)
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

export const percent = (share) => {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  return `${value < 99.95 && value !== 0 ? value.toFixed(1) : value.toFixed(0)} %`;
};

export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

// A bar whose length is `share`, of 0 to 1. The number stands beside it, so readers of screens skip it.
export function bar(share) {
  const filled = element("span", {class: "bar", "aria-hidden": "true"});
  filled.style.setProperty("--share", Math.max(0, Math.min(1, share)));
  return filled;
}

export function milliseconds(ms) {
  return ms > 0 && ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms).toLocaleString("en")} ms`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The same call for a shell and for Python. The key stays out of it: its variable is named.
export function programs(path, body, withKey) {
  const url = new URL(path, document.baseURI).href;
  const json = JSON.stringify(body);
  const key = withKey ? ' \\\n  -H "Authorization: Bearer $BERTHA_KEY"' : "";
  const shell = `curl ${quoted(url)}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(json)}`;
  const headers = withKey ? ',\n    headers={"Authorization": "Bearer " + os.environ["BERTHA_KEY"]}' : "";
  const python = `import ${withKey ? "os, " : ""}requests\nrequests.post(\n    ${JSON.stringify(url)},\n` +
    `    json=${pythonOf(body)}${headers}).json()`;
  return element("details", {class: "programs"},
    element("summary", {}, "This call from a program"), snippet("Shell", shell), snippet("Python", python));
}

function pythonOf(value) {
  return JSON.stringify(value, (_, item) => item, 0).replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g,
    (token) => ({true: "True", false: "False", null: "None"})[token] ?? token);
}

function snippet(language, text) {
  const copy = element("button", {type: "button", class: "copy"}, "Copy");
  // Browsers offer the clipboard on https and localhost alone.
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  return element("div", {class: "snippet"}, element("div", {class: "row"},
    element("span", {class: "hint"}, language), copy),
  element("pre", {tabindex: "0", role: "group", "aria-label": `${language} call`}, element("code", {}, text)));
}

// The lines of `text` that hold more than spaces.
export const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
