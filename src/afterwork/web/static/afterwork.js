// Keeps pages up to date and adds keyboard shortcuts. All pages can be read without it.
"use strict";

const main = document.getElementById("main");
const menu = document.querySelector(".menu");
const live = document.getElementById("live");
const pauseButton = document.querySelector("[data-pause]");
const everyChoice = document.querySelector("[data-every]");
const isTyping = (element) =>
  element && element.matches('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]');

// Pages are updated node by node, so that focus, selection and ticked boxes stay.

const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.row || null : null);
const isLike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function updateAttributes(old, fresh) {
  const own = old.nodeName === "DETAILS" ? ["open"] : old.nodeName === "INPUT" ? ["checked", "value"] : [];
  if (old.nodeName === "INPUT" && old.type === "hidden") own.length = 0;
  for (const { name, value } of fresh.attributes)
    if (!own.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes])
    if (!own.includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
}

function update(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  updateAttributes(old, fresh);
  if (old.nodeName === "TEXTAREA" || old.nodeName === "SELECT") return;
  if (old.hasAttribute("data-steady")) updateRows(old, fresh);
  else updateChildren(old, fresh);
}

// Rows that come or go would move the others. So rows that are gone only fade, and new rows show in the count alone
// until the page is reloaded, or are added at the end, replacing faded rows there.
function updateRows(old, fresh) {
  const rows = new Map([...fresh.children].map((row) => [keyOf(row), row]));
  for (const row of old.children) {
    const now = rows.get(keyOf(row));
    if (now) update(row, now);
    row.classList.toggle("elsewhere", !now);
    rows.delete(keyOf(row));
  }
  if (old.dataset.steady !== "new-last") return;
  while (old.lastElementChild?.matches(".elsewhere")) old.lastElementChild.remove();
  for (const row of rows.values()) old.append(document.importNode(row, true));
}

const counts = (node) => node.nodeType === 1 || node.nodeValue.trim() !== "";

function from(node) {
  while (node && !counts(node)) node = node.nextSibling;
  return node;
}

function without(node) {
  const next = from(node.nextSibling);
  node.remove();
  return next;
}

// Remove nodes that are gone before comparing the others, so that none of those is moved or replaced: either would cost
// it the focus.
function skipGone(place, node, rest) {
  let later = place;
  while (later && !isLike(later, node)) later = from(later.nextSibling);
  if (later) while (place !== later && !rest.some((other) => isLike(place, other))) place = without(place);
  return place;
}

function updateChildren(old, fresh) {
  const byKey = new Map([...old.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  const nodes = [...fresh.childNodes].filter(counts);
  let place = from(old.firstChild);
  nodes.forEach((node, number) => {
    place = skipGone(place, node, nodes.slice(number + 1));
    const known = keyOf(node) === null ? null : byKey.get(keyOf(node));
    if (known && known !== place && known.nodeName === node.nodeName) old.insertBefore(known, place), (place = known);
    if (place && isLike(place, node)) {
      update(place, node);
      place = from(place.nextSibling);
    } else {
      if (node.previousSibling && !counts(node.previousSibling)) old.insertBefore(new Text(" "), place);
      old.insertBefore(document.importNode(node, true), place);
    }
  });
  while (place) place = without(place);
}

function show(html) {
  if (document.querySelector("dialog[open]") || String(window.getSelection())) return;
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  const heights = new Map(blocks().map((block) => [block, block.offsetHeight]));
  updateChildren(main, fresh);
  fixHeights(heights);
  countSelected();
  addLocalTimes();
}

function showMenu(html) {
  updateChildren(menu, new DOMParser().parseFromString(html, "text/html").body);
}

// What stands below each other. On a wide window nothing stands below what needs attention, so that may grow there.
const isNarrow = () => matchMedia("(max-width: 1000px)").matches;
const blocks = () => [...main.children, ...(isNarrow() ? main.querySelectorAll("[data-block]") : [])];

// A block that shrinks or grows would move those below it. So it keeps its height, and scrolls if it needs more.
function fixHeights(heights) {
  for (const block of blocks()) {
    const height = heights.get(block);
    if (!height || block === main.lastElementChild || block.matches("details")) continue;
    block.style.minHeight = `${height}px`;
    if (block.offsetHeight <= height) continue;
    block.style.maxHeight = `${height}px`;
    block.classList.add("fixed");
  }
}

function releaseHeights() {
  for (const block of [...main.children, ...main.querySelectorAll("[data-block]")]) block.removeAttribute("style");
}

// The event stream. It is closed while the page is hidden.

let source = null;
let paused = false;
let ended = false;

function say(state, text) {
  live.className = `live ${state}`;
  live.textContent = text;
}

function connect() {
  if (source || paused || ended || document.hidden) return;
  source = new EventSource(streamAddress());
  source.addEventListener("open", () => say("on", "live"));
  source.addEventListener("main", (event) => show(event.data));
  source.addEventListener("menu", (event) => showMenu(event.data));
  source.addEventListener("trouble", () => say("off", "can't update"));
  source.addEventListener("ended", end);
  source.addEventListener("error", () => {
    say("off", "not connected");
    if (source && source.readyState === EventSource.CLOSED) {
      source = null;
      askWhether().then((isLetIn) => (isLetIn ? setTimeout(connect, 5000) : end()));
    }
  });
}

// How often the server looks for what is new: as the address says, unless the visitor has chosen.
function streamAddress() {
  const address = new URL(location.href);
  if (everyChoice.value) address.searchParams.set("every", everyChoice.value);
  return address;
}

function chooseEvery() {
  localStorage.setItem("afterwork-every", everyChoice.value);
  if (!source) return;
  disconnect("not updating");
  connect();
}

// A stream that is refused does not say why. Only an answer that leads to the login, or refuses the page, ends it.
async function askWhether() {
  const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
  return !answer || (answer.type !== "opaqueredirect" && answer.status !== 401 && answer.status !== 403);
}

function end() {
  ended = true;
  disconnect("logged out");
  const told = document.createElement("p");
  told.className = "said problem";
  told.setAttribute("role", "alert");
  told.append("You are not logged in any more. This page shows what was, and can't act. ");
  const again = document.createElement("a");
  again.href = location.href;
  again.textContent = "Reload it.";
  told.append(again);
  main.before(told);
}

function disconnect(text) {
  if (source) source.close();
  source = null;
  say("", text);
}

function togglePause() {
  paused = !paused;
  pauseButton.setAttribute("aria-pressed", String(paused));
  pauseButton.textContent = paused ? "Resume" : "Pause";
  if (paused) disconnect("paused");
  else connect();
}

if (main.hasAttribute("data-live")) {
  live.hidden = pauseButton.hidden = everyChoice.hidden = false;
  everyChoice.value = localStorage.getItem("afterwork-every") || "";
  everyChoice.addEventListener("change", chooseEvery);
  pauseButton.addEventListener("click", togglePause);
  document.addEventListener("visibilitychange", () => {
    if (!ended) document.hidden ? disconnect("not updating") : connect();
  });
  window.addEventListener("pagehide", () => disconnect("not updating"));
  window.addEventListener("pageshow", connect);
  window.addEventListener("resize", releaseHeights);
}

// On a narrow screen the menu is one line, which begins where the page's own entry is.

function showCurrent() {
  const current = menu.querySelector("[aria-current]");
  if (!current) return;
  const place = current.getBoundingClientRect(), room = menu.getBoundingClientRect();
  menu.scrollLeft += place.left + place.width / 2 - (room.left + room.width / 2);
}

showCurrent();

// Light or dark: follows the system until the user chooses.

const stored = localStorage.getItem("afterwork-theme");
if (stored) document.documentElement.dataset.theme = stored;

function switchTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("afterwork-theme", root.dataset.theme);
}

const themeButton = document.querySelector("[data-theme-switch]");
themeButton.hidden = false;
themeButton.addEventListener("click", switchTheme);

// Times in UTC, with the visitor's own beside them.

const ofDay = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

function addLocalTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime()) || !at.getTimezoneOffset()) continue;
    time.title = `${time.title.split(" · ")[0]} · ${at.toLocaleString()} here`;
    if ("clock" in time.dataset) time.textContent = `${time.textContent.split(" (")[0]} (${at.toLocaleTimeString([], ofDay)} here)`;
  }
}

addLocalTimes();

// Keyboard shortcuts.

const help = document.getElementById("help");
const helpButton = document.querySelector("[data-help]");
helpButton.hidden = false;
helpButton.addEventListener("click", () => help.showModal());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || help.open) return;
  const entry = [...document.querySelectorAll(".menu a")].find((link) => link.dataset.key === event.key);
  const search = document.querySelector('input[type="search"]');
  if (entry) location.href = entry.href;
  else if (event.key === "/" && search) search.focus();
  else if (event.key === "p" && !pauseButton.hidden) togglePause();
  else if (event.key === "y") switchTheme();
  else if (event.key === "?") help.showModal();
  else return;
  event.preventDefault();
});

// Forms: confirm what can't be undone, and select all rows at once.

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const question = (button && button.dataset.confirm) || event.target.dataset.confirm;
  const ticked = question && question.includes("{count}") ? tickedIn(event.target).length : 0;
  if (question && !window.confirm(question.replace("{count}", ticked))) event.preventDefault();
});

const tickedIn = (form) => document.querySelectorAll(`input[type="checkbox"][name][form="${form.id}"]:checked`);

function countSelected() {
  for (const form of document.querySelectorAll("form[data-selection]")) {
    const ticked = tickedIn(form).length;
    for (const place of form.querySelectorAll("[data-selected]")) place.textContent = ticked ? `${ticked} selected` : "";
  }
}

document.addEventListener("change", (event) => {
  const form = event.target.dataset && event.target.dataset.all;
  if (form)
    for (const box of document.querySelectorAll(`input[type="checkbox"][name][form="${form}"]`))
      box.checked = event.target.checked;
  countSelected();
});

document.addEventListener("click", (event) => {
  const command = event.target.closest("[data-copy]");
  if (command && navigator.clipboard) navigator.clipboard.writeText(command.textContent);
});
