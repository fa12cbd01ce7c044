// Live: appraises the needle that the user moves over the WebSocket, one request at a time, always the latest position.

import { post, Problem, socket } from "./api.js";
import { on, request, set, state } from "../state.js";

/** After so many failures in a row the WebSocket is not used again, but requests over HTTP. */
const MOST_FAILURES = 3;

let connection = null;
let failures = 0;
let pending = null;
let waiting = false;
/** Another patient or plan begins another session: answers to an earlier session are ignored. */
let session = 0;

/** Appraise the needle whenever it changes. */
export function startLive() {
  on(["patient", "plan"], restart);
  on(["needle"], () => {
    pending = state.needle;
    next();
  });
}

/** Request the appraisal of the present needle again. */
export function askAgain() {
  set({ unanswered: null });
  pending = state.needle;
  next();
}

function restart() {
  session += 1;
  connection?.close();
  connection = null;
  failures = 0;
  waiting = false;
}

async function next() {
  if (waiting || pending === null || state.patient === null) return;
  const needle = pending;
  const own = session;
  const { id } = state.patient;
  pending = null;
  waiting = true;
  let broken = false;
  try {
    const body = { paths: [needle], request: request() };
    const overHttp = failures >= MOST_FAILURES;
    const answer = await (overHttp ? post(`cases/${id}/paths:evaluate`, body) : overSocket(id, body));
    const { paths, missing_structures } = answer;
    // If the needle has moved meanwhile, its new position is requested next.
    if (own === session && state.needle === needle) set({ appraisal: { ...paths[0], missing_structures }, unanswered: null });
  } catch (error) {
    broken = error === BROKEN;
    if (own === session && !broken) {
      set({ appraisal: null, unanswered: error.message });
    }
  }
  if (own !== session) return;
  waiting = false;
  if (broken) pending ??= state.needle;
  next();
}

/** The socket closed before an answer came. */
const BROKEN = new Error("The socket closed.");

function overSocket(id, body) {
  connection ??= socket(`cases/${id}/paths`);
  const current = connection;
  return new Promise((resolve, reject) => {
    const closed = () => {
      if (connection === current) connection = null;
      failures += 1;
      reject(BROKEN);
    };
    current.onmessage = ({ data }) => {
      failures = 0;
      const answer = JSON.parse(data);
      if (answer.problem) reject(new Problem(answer.problem));
      else resolve(answer);
    };
    current.onclose = closed;
    const send = () => current.send(JSON.stringify(body));
    if (current.readyState === WebSocket.OPEN) send();
    else if (current.readyState === WebSocket.CONNECTING) current.onopen = send;
    else closed();
  });
}
