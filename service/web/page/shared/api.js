// The public API: requests with the key, problems as errors, uploads with progress, event streams that resume.

const BASE = new URL("v1/", document.baseURI);
const KEY = "seedpath.key";

/** A request that the service refused; `errors` point at fields. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail);
    this.status = problem.status;
    this.errors = problem.errors ?? [];
  }
}

/** The service could not be reached. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. Is it running?");
  }
}

export const key = () => sessionStorage.getItem(KEY);
export const useKey = (value) => sessionStorage.setItem(KEY, value);

const authorization = () => (key() === null ? {} : { Authorization: `Bearer ${key()}` });

/** The URL of an address like "cases", or "/v1/cases/…" as in answers. */
const url = (address) => new URL(address.replace(/^\/v1\//, ""), BASE);

async function ask(method, address, { body, headers = {}, signal } = {}) {
  const options = { method, signal, headers: { ...authorization(), ...headers } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(url(address), options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
  if (!answer.ok) throw new Problem(await problemOf(answer));
  return answer;
}

async function problemOf(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/problem+json")) return answer.json();
  return { status: answer.status, detail: `The service answered ${answer.status}.` };
}

export const get = async (address, options) => (await ask("GET", address, options)).json();
export const post = async (address, body, options) => (await ask("POST", address, { ...options, body })).json();
export const remove = async (address) => void (await ask("DELETE", address));
export const blob = async (address) => (await ask("GET", address)).blob();

/** POST a form; `onProgress` gets the share that was sent, 0 to 1. */
export function upload(address, form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url(address));
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(new Unreachable()));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Problem(request.response ?? { status: request.status, detail: "The service refused the request." }));
    });
    request.send(form);
  });
}

const PAUSE_MS = 1000;

/**
 * The events of a job until it ends, as {state, progress}. A stream that breaks is resumed after the last event
 * received.
 */
export async function* events(job, signal) {
  let last = null;
  for (;;) {
    try {
      const headers = last === null ? {} : { "Last-Event-ID": last };
      const answer = await ask("GET", `jobs/${job}/events`, { headers, signal });
      if (answer.status === 204) return;
      for await (const event of parsed(answer.body)) {
        last = event.id;
        yield JSON.parse(event.data);
      }
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status < 500)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Server-sent events of a body, as {id, data}. */
async function* parsed(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split(/\r?\n\r?\n/);
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split(/\r?\n/).map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.data !== undefined) yield fields;
    }
  }
}

/** A WebSocket of the API. Browsers cannot set headers on it, so the key goes as a subprotocol. */
export function socket(address) {
  const target = url(address);
  target.protocol = target.protocol.replace("http", "ws");
  const protocols = ["seedpath.v1", ...(key() === null ? [] : [`bearer.${key()}`])];
  return new WebSocket(target, protocols);
}
