// Live: the needle that a hand moves is appraised over the WebSocket, one question at a time, the latest first.

import { post, Problem, socket } from "./api.js";
import { on, request, set, state } from "../state.js";

/** A socket that closes this often in a row is not tried again; requests over HTTP do as well. */
const MOST_FAILURES = 3;

let open = null;
let failures = 0;
let asked = null;
let underWay = false;
/** Another patient or plan begins another talk: what is still answered of the one before is not heard. */
let talk = 0;

/** Appraise every needle that the state holds. */
export function startLive() {
  on(["patient", "plan"], restart);
  on(["needle"], () => {
    asked = state.needle;
    next();
  });
}

/** Ask once more about the needle of which nothing is known. */
export function askAgain() {
  set({ unanswered: null });
  asked = state.needle;
  next();
}

function restart() {
  talk += 1;
  open?.close();
  open = null;
  failures = 0;
  underWay = false;
}

async function next() {
  if (underWay || asked === null || state.patient === null) return;
  const needle = asked;
  const mine = talk;
  const { id } = state.patient;
  asked = null;
  underWay = true;
  let broken = false;
  try {
    const body = { paths: [needle], request: request() };
    const overHttp = failures >= MOST_FAILURES;
    const answer = await (overHttp ? post(`cases/${id}/paths:evaluate`, body) : overSocket(id, body));
    const { paths, missing_structures } = answer;
    // A needle that has moved meanwhile is asked about next.
    if (mine === talk && state.needle === needle) set({ appraisal: { ...paths[0], missing_structures }, unanswered: null });
  } catch (error) {
    broken = error === BROKEN;
    if (mine === talk && !broken) {
      set({ appraisal: null, unanswered: error.message });
    }
  }
  if (mine !== talk) return;
  underWay = false;
  if (broken) asked ??= state.needle;
  next();
}

/** The socket closed before it answered. */
const BROKEN = new Error("The socket closed.");

function overSocket(id, body) {
  open ??= socket(`cases/${id}/paths`);
  const through = open;
  return new Promise((resolve, reject) => {
    const closed = () => {
      if (open === through) open = null;
      failures += 1;
      reject(BROKEN);
    };
    through.onmessage = ({ data }) => {
      failures = 0;
      const answer = JSON.parse(data);
      if (answer.problem) reject(new Problem(answer.problem));
      else resolve(answer);
    };
    through.onclose = closed;
    const send = () => through.send(JSON.stringify(body));
    if (through.readyState === WebSocket.OPEN) send();
    else if (through.readyState === WebSocket.CONNECTING) through.onopen = send;
    else closed();
  });
}
