"use strict";
// What the daemon says is text of peers: it goes into the page as text, never as markup.
const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const FARES = ["live", "connected, not proven", "not connected", "deaf"];
const WORST = ["deaf", "refused", "unbound", "waiting_clock", "backoff", "missing", "minting", "connecting", "joining", "unproven", "busy", "live", "ready"];
const FARE = {live: "live", ready: "live", busy: "live", unproven: "unproven", joining: "unproven", deaf: "deaf", refused: "deaf", unbound: "deaf", missing: "deaf"};
let status, days, reasons = {}, heard = 0, at = 0;

function el(tag, attributes, ...inside) {
  const made = tag === "svg" || tag === "rect" || tag === "title" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...inside.filter(one => one !== null && one !== undefined && one !== ""));
  return made;
}
function span(s) {
  s = Math.max(0, Math.round(s));
  if (s < 90) return s + " s";
  if (s < 5400) return Math.round(s / 60) + " min";
  if (s < 129600) return Math.round(s / 3600) + " h";
  return Math.round(s / 86400) + " d";
}
const ago = when => when ? span((at - Date.parse(when)) / 1000) + " ago" : "never";
const many = (n, one) => n + " " + one + (n === 1 ? "" : "s");
function bytes(n) {
  return n < 1e6 ? Math.round(n / 1e3) + " kB" : (n / 1e6).toFixed(n < 1e7 ? 2 : 1) + " MB";
}
function facts(pairs) {
  const list = el("dl");
  for (const [name, value, bad] of pairs)
    if (value !== null && value !== undefined)
      list.append(el("div", null, el("dt", null, name), el("dd", bad ? {class: "bad"} : null, String(value))));
  return list;
}
function clock(ms) {
  return new Date(ms).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
}
// A column is a step of the day; the newest stands at the right.
function timeline(steps, words) {
  const wide = 144, sums = [0, 0, 0, 0];
  const picture = el("svg", {class: "line", viewBox: "0 0 144 10", preserveAspectRatio: "none", role: "img"});
  steps.forEach((step, n) => {
    let y = 10;
    for (let fare = 0; fare < 4; fare++) {
      sums[fare] += step[fare];
      if (!step[fare]) continue;
      const high = step[fare] / 255 * 10;
      y -= high;
      picture.append(el("rect", {class: "f" + fare, x: wide - steps.length + n, y: y.toFixed(3), width: 1.02, height: high.toFixed(3)}));
    }
  });
  const all = sums.reduce((a, b) => a + b, 0) || 1;
  const said = sums.map((sum, fare) => sum ? words[fare] + " " + (100 * sum / all).toFixed(sum / all < .999 ? 1 : 0) + " %" : "").filter(Boolean).join(", ");
  picture.setAttribute("aria-label", said);
  picture.prepend(el("title", null, said));
  return picture;
}
function bars(steps, names, second) {
  const wide = 144, one = s => s[4], other = s => s[5];
  const most = Math.max(...steps.map(s => Math.max(one(s), other(s))));
  if (!most) return [el("p", {class: "quiet"}, "no " + names[0] + " and no " + names[1] + " in these hours")];
  const picture = el("svg", {class: "bars", viewBox: "0 0 144 20", preserveAspectRatio: "none", role: "img"});
  const bar = (n, value, klass, shift) => {
    if (value) picture.append(el("rect", {class: klass, x: wide - steps.length + n + shift, y: 20 - value / most * 20, width: .45, height: value / most * 20}));
  };
  steps.forEach((step, n) => { bar(n, one(step), "c0", 0); bar(n, other(step), second, .5); });
  const total = of => steps.reduce((sum, step) => sum + of(step), 0);
  const said = names[0] + " " + total(one) + ", " + names[1] + " " + total(other) + " in these hours; at most " + most + " in 10 minutes";
  picture.setAttribute("aria-label", said);
  picture.prepend(el("title", null, said));
  return [picture, el("p", {class: "quiet"}, said)];
}
function axis() {
  const end = days.step_began_ms, row = el("div", {class: "axis"});
  for (let n = 4; n >= 0; n--) row.append(el("span", null, n ? clock(end - n * 6 * 3600e3) : "now"));
  return row;
}
function dayOf(rows, agent, guild) {
  const found = days && rows(days).find(day => day.agent === agent && day.guild === guild);
  return found && found.steps;
}
function card(fare, name, state, since, ...inside) {
  const top = el("div", {class: "top"}, el("span", {class: "name"}, name), el("span", {class: "state"}, state.replace("_", " ")), el("span", {class: "quiet"}, since));
  return el("article", {class: fare}, top, ...inside);
}
function why(row) {
  if (!row.reason && !row.detail) return null;
  return el("p", {class: "why"}, row.reason ? el("code", null, row.reason) : null, row.reason && row.detail ? ": " : "", row.detail,
    reasons[row.reason] ? el("span", {class: "quiet"}, " (" + reasons[row.reason] + ")") : null);
}
function link(row) {
  const steps = dayOf(d => d.links, row.agent, row.guild);
  const gaps = Object.entries(row.gaps_by_reason).map(([reason, n]) => n + " " + reason).join(", ");
  // live with a reason is in doubt; what history shows and the socket does not bring is deafness before it is called so
  return card(row.reason === "deaf.history" ? "deaf" : row.state === "live" && row.reason ? "unproven" : FARE[row.state] || "away", row.agent + " in " + row.guild, row.state, "for " + span((at - Date.parse(row.since)) / 1000), why(row),
    facts([
      ["next try", row.next_try_s === null ? null : "in " + span(row.next_try_s)],
      ["last proof", ago(row.last_proof_at)], ["last message", ago(row.last_event_at)],
      ["channels", row.channels_total + " listed, " + row.channels_joined + " joined, " + row.channels_proven + " proven"],
      ["delivered", row.delivered], ["replies", row.replies_posted], ["waiting to be posted", row.outbox_depth || null],
      ["refused replies", row.letters || null, true], ["gaps", gaps || null, true], ["attempts", row.attempts],
    ]),
    ...(steps ? [timeline(steps, FARES), ...bars(steps, ["messages", "replies"], "c1"), axis()] : []));
}
function agent(row) {
  const steps = dayOf(d => d.agents, row.agent, undefined);
  // a program or an address that was never asked is only believed to be there
  const untried = row.state === "ready" && /exec|http/.test(row.transport) && !(row.turns_done + row.turns_failed);
  return card(FARE[row.state], row.agent, untried ? "ready, not asked yet" : row.state, "by " + row.transport, why(row),
    facts([["turns open", row.turns_open], ["waiting", row.waiting], ["turns done", row.turns_done],
      ["failed attempts", row.turns_failed || null, true], ["unreadable", row.garbled || null, true]]),
    ...(steps ? [...bars(steps, ["turns", "failed attempts"], "bad1"), axis()] : []));
}
function memory(process) {
  const most = process.heap_limit_bytes || process.heap_peak_bytes, part = n => 144 * Math.min(1, n / (most || 1));
  const picture = el("svg", {class: "line", viewBox: "0 0 144 10", preserveAspectRatio: "none", role: "img",
    "aria-label": "heap " + bytes(process.heap_bytes) + " of " + bytes(most)},
    el("rect", {class: "f2", x: 0, y: 0, width: part(process.heap_peak_bytes), height: 10, opacity: .45}),
    el("rect", {class: "c0", x: 0, y: 0, width: part(process.heap_bytes), height: 10}));
  const limit = process.heap_limit_bytes ? bytes(process.heap_limit_bytes) : "none set";
  return el("article", {class: process.state_mode === "none" ? "deaf" : "live"},
    process.state_mode === "none" ? el("p", {class: "why"}, "nothing is kept over a restart: " + process.state_detail) : null,
    facts([["heap", bytes(process.heap_bytes)], ["at most so far", bytes(process.heap_peak_bytes)], ["limit", limit],
      ["resident", bytes(process.rss_bytes)], ["state", process.state_mode], ["pid", process.pid],
      ["log lines dropped", process.log_dropped || null, true]]), picture);
}
const worst = (a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state);
function draw() {
  const counts = {};
  for (const row of status.links) counts[row.state] = (counts[row.state] || 0) + 1;
  const words = Object.keys(counts).sort((a, b) => WORST.indexOf(a) - WORST.indexOf(b)).map(state => counts[state] + " " + state.replace("_", " "));
  const absent = status.agents.filter(agent => agent.state === "missing").length;
  const lacking = absent ? " · " + many(absent, "agent") + " missing" : "";
  $("sum").textContent = status.version + " · up " + span(status.uptime_s) + " · " + many(status.links.length, "link") + ": " + (words.join(", ") || "none") + " · as of " + new Date(at).toLocaleTimeString();
  document.title = (words[0] || "no links") + lacking + " · guild-bridge";
  $("links").replaceChildren(...status.links.slice().sort(worst).map(link));
  $("agents").replaceChildren(...status.agents.slice().sort(worst).map(agent));
  $("process").replaceChildren(memory(status.process));
}
const source = new EventSource("/events");
source.addEventListener("reasons", event => { reasons = JSON.parse(event.data); });
source.addEventListener("days", event => { days = JSON.parse(event.data); });
source.addEventListener("status", event => {
  const said = JSON.parse(event.data);
  [status, at, heard] = [said.status, said.at_ms, performance.now()];
  $("silent").hidden = true;
  document.body.classList.remove("stale");
  draw();
});
// What was said last must not stand as if it were now.
setInterval(() => {
  const quiet = (performance.now() - heard) / 1000;
  if (quiet < 8) return;
  $("silent").textContent = "The daemon has said nothing for " + span(quiet) + ": what stands below is of then. It may have ended, or the way to it is cut.";
  $("silent").hidden = false;
  document.body.classList.add("stale");
  document.title = "silent · guild-bridge";
}, 1000);
