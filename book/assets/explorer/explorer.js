// The explorer: a form, a worker that computes, drawings and words. Everything that is shown follows from the form.
import { drawData, drawPlane } from "./pictures.js";
import { isState, python, read, restore, tidy, written } from "./state.js";
import { Traces } from "./traces.js";
import { chainNumbers, chainsSay, dataSays, exactNumbers, expected, planeSays, rate } from "./words.js";

const root = document.getElementById("explorer"), $ = selector => root.querySelector(selector);
const [form, plane, data, live] = ["form", ".plane svg", ".data svg", "[role=status]"].map($);
const [play, step, again, copy] = ["play", "step", "again", "copy"].map(name => $(`#explorer-${name}`));
const fields = Object.fromEntries([...root.querySelectorAll("[name]")].map(field => [field.name, field]));
const law = readLaw();
const traces = new Traces($(".stack canvas"), $("#explorer-traces"));
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const BLOCK = 500; // draws at a press of the button, where nothing may move by itself

let found = null; // the worker's latest answer
let chains = nothing();
let job = 0, busy = false, stale = false; // one computation at a time, and then the latest state
let run = 0, begun = false, waiting = false; // the chains; `waiting` for draws that were asked for
let running = false, frames = 0;
let resume = false; // whether chains run, or run on, once the state is computed

function nothing() { return { draws: 0, switches: 0, rhat: { first: NaN, smaller: NaN } }; }

// The law's two constants stand in the page's text, pasted there from the chapter that measures them
function readLaw() {
  const [front, slope] = [...document.querySelectorAll(".explorer-law .pasted-text")].map(span => Number(span.textContent));
  return { front, slope };
}

const now = () => rate(law, found, read(form).ordered);

// ---- the exact posterior

function change() {
  resume ||= running;
  pause();
  showControls();
  stale = true;
  root.ariaBusy = "true";
  delete root.dataset.ready;
  compute();
}

function compute() {
  if (busy || !stale) return;
  [busy, stale] = [true, false];
  const { recipe, prior } = read(form);
  worker.postMessage({ task: "compute", id: ++job, recipe, prior });
}

function computed(answer) {
  busy = false;
  found = answer;
  startOver();
  if (stale) compute();
  else settle();
}

// The state has stopped changing: write it into the address, and say what is seen
function settle() {
  const state = written(form);
  if (state !== location.hash.slice(1) && (state || isState(location.hash)))
    history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
  root.ariaBusy = "false";
  const { ordered } = read(form), exact = exactNumbers(found, law, ordered);
  live.textContent = `${planeSays(found, read(form))} Log evidence ${exact.evidence}, barrier ${exact.barrier} nats. ` +
    `Draws per switch by the law: ${exact.wait}.`;
  const { logEvidence, shareBelow, barrier, barrierFromTop, modes, saddle, bells } = found;
  root.dataset.ready = JSON.stringify({
    ...{ state, logEvidence, shareBelow, barrier, barrierFromTop, modes, saddle, bells, law }, rate: now(),
  });
  goOn();
}

function goOn() {
  if (resume) toggle();
}

function drawStill() {
  if (!found) return;
  const shown = read(form);
  drawPlane(plane, found, shown);
  drawData(data, found);
  fill(exactNumbers(found, law, shown.ordered));
  $("#explorer-plane-says").textContent = planeSays(found, shown);
  $("#explorer-data-says").textContent = dataSays(found);
  $(".python code").textContent = `from mixtures import data, exact\n\n${python(shown)}`;
  root.classList.toggle("ordered", Boolean(shown.ordered));
  drawMoving();
}

// ---- the chains

function drawMoving() {
  traces.draw(found, getComputedStyle(root));
  // nobody reads sixty numbers a second
  if (running && frames % 6) return;
  fill(chainNumbers(chains, now()));
  $("#explorer-chains-say").textContent = chainsSay(chains, read(form).ordered);
  root.dataset.chains = JSON.stringify({ ...chains, expected: now() === null ? null : expected(chains.draws, now()) });
}

function ask(draws) {
  if (!found || busy) return;
  const { seed, ordered } = read(form);
  if (!begun) worker.postMessage({ task: "begin", run, seed, ordered: Boolean(ordered) });
  begun = waiting = true;
  worker.postMessage({ task: "advance", draws });
}

// Once a frame: what has come is drawn, and more is asked for. A hidden page has no frames, so nothing piles up.
function frame() {
  if (!running) return;
  frames++;
  if (!waiting) ask(read(form).speed);
  requestAnimationFrame(frame);
}

function advanced({ run: of, values, draws, switches, rhat }) {
  if (of !== run) return;
  waiting = false;
  traces.add(values);
  chains = { draws, switches, rhat };
  requestAnimationFrame(() => of === run && drawMoving());
  if (!running) live.textContent = chainsSay(chains, read(form).ordered);
}

function pause() {
  if (running) live.textContent = chainsSay(chains, read(form).ordered);
  running = false;
  if (found) drawMoving();
  showControls();
}

function toggle() {
  const computing = busy || stale || !found;
  resume = computing && !resume;
  if (computing) return showControls();
  if (calm.matches) return ask(BLOCK);
  if (running) return pause();
  running = true;
  showControls();
  frame();
}

function startOver() {
  pause();
  [run, begun, waiting, chains] = [run + 1, false, false, nothing()];
  traces.clear();
  drawStill();
}

// ---- controls and words

function fill(texts) {
  for (const [name, text] of Object.entries(texts)) {
    const place = $(`[data-number="${name}"]`);
    if (place.textContent !== text) place.textContent = text;
  }
}

function showControls() {
  const { recipe, prior } = read(form), [w, v] = recipe.weights;
  const texts = { separation: recipe.separation.toFixed(1), n: recipe.n, weight: `${w} and ${v}`, prior };
  for (const [name, text] of Object.entries(texts)) {
    $(`output[for="explorer-${name}"]`).value = text;
    fields[name].setAttribute("aria-valuetext", text);
  }
  const book = recipe.n === 100 && recipe.separation === 2 && w === v && prior === 10;
  for (const button of root.querySelectorAll("[data-dataset]"))
    button.ariaPressed = String(book && Number(button.dataset.dataset) === recipe.seed);
  play.textContent = calm.matches ? `${BLOCK} draws` : running || resume ? "Pause" : "Start";
}

function pickDataset({ dataset }) {
  for (const name of ["separation", "n", "weight", "prior"]) fields[name].value = fields[name].defaultValue;
  fields.data.value = dataset;
  change();
}

async function copyLink() {
  const done = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  live.textContent = copy.textContent = done ? "Copied" : "The link is this page's address";
  setTimeout(() => { copy.textContent = "Copy a link to this situation"; }, 2000);
}

function followLink() {
  restore(form, location.hash);
  change();
  root.scrollIntoView();
  play.focus({ preventScroll: true });
}

function fail(text) {
  pause();
  busy = false;
  if (stale) return compute();
  resume = false;
  showControls();
  root.ariaBusy = "false";
  $("#explorer-plane-says").textContent = live.textContent = `This state cannot be computed here (${text}). Try another one.`;
}

// what changes the posterior is computed anew; what changes the chains starts them over; the rest is drawn or noted
function touched({ target: { name } }) {
  if (name === "speed") return found && !stale && !busy && settle();
  if (!["ordered", "bells", "seed"].includes(name)) return change();
  resume ||= running && name !== "bells";
  if (name === "bells") drawStill();
  else startOver();
  if (found && !busy) settle();
}

const answers = { compute: computed, advance: advanced, failed: ({ text }) => fail(text) };
worker.onmessage = ({ data: { task, ...answer } }) => answers[task](answer);
worker.onerror = event => fail(event.message || "the worker has stopped");
form.addEventListener("submit", event => event.preventDefault());
root.addEventListener("input", touched);
root.addEventListener("change", () => tidy(form));
for (const button of root.querySelectorAll("[data-dataset]")) button.addEventListener("click", () => pickDataset(button.dataset));
play.addEventListener("click", toggle);
step.addEventListener("click", () => { pause(); if (!waiting) ask(1); });
again.addEventListener("click", () => { startOver(); live.textContent = chainsSay(chains, read(form).ordered); });
copy.addEventListener("click", copyLink);
calm.addEventListener("change", pause);
addEventListener("resize", () => found && drawMoving());
addEventListener("hashchange", () => (isState(location.hash) || !location.hash) && followLink());
document.addEventListener("visibilitychange", () => document.hidden && pause());
new MutationObserver(() => found && drawMoving()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
restore(form, isState(location.hash) ? location.hash : "");
change();
