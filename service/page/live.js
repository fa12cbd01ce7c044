// Live: the needle that a hand moves is appraised over the WebSocket, one question at a time, the latest first.

import { alertOf } from "./alerts.js";
import { Problem, post, socket } from "./api.js";
import { on, request, set, state } from "./state.js";

/** A socket that closes this often in a row is not tried again; requests over HTTP do as well. */
const MOST_FAILURES = 3;

let open = null;
let failures = 0;
let asked = null;
let underWay = false;

/** Appraise every needle that the state holds. */
export function startLive() {
  on(["patient", "plan"], restart);
  on(["needle"], () => {
    asked = state.needle;
    next();
  });
}

function restart() {
  open?.close();
  open = null;
  failures = 0;
  underWay = false;
}

async function next() {
  if (underWay || asked === null || state.patient === null) return;
  const needle = asked;
  const patient = state.patient;
  asked = null;
  underWay = true;
  try {
    const body = { paths: [needle], request: request() };
    const { paths } = await (failures < MOST_FAILURES ? overSocket(body) : post(`cases/${patient.id}/paths:evaluate`, body));
    // What has changed meanwhile is asked about next.
    if (state.patient === patient && asked === null) set({ appraisal: paths[0] });
  } catch (error) {
    if (error === BROKEN && state.patient === patient) asked ??= needle;
    else if (error !== BROKEN) alertOf(error);
  } finally {
    underWay = false;
  }
  next();
}

/** The socket closed before it answered. */
const BROKEN = new Error("The socket closed.");

function overSocket(body) {
  open ??= socket(`cases/${state.patient.id}/paths`);
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
