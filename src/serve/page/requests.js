// Requests to the server, and their errors in plain words. Addresses are relative to the page, so that it
// works behind a proxy that adds a prefix.

let key = "";

export const setKey = (value) => { key = value; };
let watcher = () => {};

// `watch(status)` is called with the status of each response, 0 if there was none.
export const watchStatus = (watch) => { watcher = watch; };
export const hasKey = () => key !== "";

export class ServerError extends Error {
  constructor(status, message, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// The JSON of a route. Throws ServerError, or AbortError if `signal` was aborted.
export async function call(path, body, signal) {
  return (await send(path, body, signal)).json();
}

export async function callForText(path, signal) {
  return (await send(path, undefined, signal)).text();
}

async function send(path, body, signal) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST", headers, signal, cache: "no-store",
      credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body)});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    watcher(0);
    throw new ServerError(0, "The server does not answer. It may have stopped, or the connection is lost.");
  }
  watcher(response.status);
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response) {
  const said = messageIn(await response.text().catch(() => ""));
  const seconds = Number(response.headers.get("Retry-After")) || undefined;
  return new ServerError(response.status, inWords(response.status, said, seconds), seconds);
}

// Each dialect puts the message elsewhere: {"error": {"message"}}, {"error": "…"}, {"message"}.
function messageIn(text) {
  try {
    const {error, message} = JSON.parse(text);
    return typeof error === "string" ? error : error?.message ?? message ?? "";
  } catch {
    return "";
  }
}

function inWords(status, said, seconds) {
  const again = seconds ? ` Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.` : " Try again soon.";
  switch (status) {
    case 401: return "The server does not accept this key.";
    case 404: return said || "The server does not have this model or route.";
    case 413: return "The text is larger than this server takes in one request.";
    case 429: return `The server has more work than it can finish in time.${again}`;
    case 503: return `The server is not ready.${again}`;
    default:
      if (status >= 500) return `The server met a fault (status ${status}).${said ? ` It says: ${said}` : ""}`;
      return said ? `The server refused this: ${said}` : `The server refused this (status ${status}).`;
  }
}
