// Keeps a page live: asks for the same address again and puts in what changed. The server answers 304 when nothing did.
// Without this script every page works, and shows what was true when it was loaded.
"use strict";

const SLOWEST = 30;
let etag = null;
let failures = 0;

function same(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || "") === (fresh.id || "");
}

function adopt(old, fresh) {
  if (old.dataset && old.dataset.loaded) fresh = keepLoaded(old, fresh);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  // What a person has typed or unfolded stays.
  const kept = old.nodeName === "DETAILS" ? "open" : ["INPUT", "SELECT", "TEXTAREA"].includes(old.nodeName) ? "value" : "";
  for (const { name } of [...old.attributes]) if (name !== kept && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (name !== kept && old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.nodeName === "FORM") return;
  adoptChildren(old, fresh);
}

function adoptChildren(old, fresh) {
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = wanted.id ? byId.get(wanted.id) : undefined;
    if (known && known !== place) old.insertBefore(known, place);
    const candidate = known || place;
    if (candidate && same(candidate, wanted)) {
      adopt(candidate, wanted);
      place = candidate.nextSibling;
    } else {
      old.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// A fold with an address of its own shows what is there once it is opened.
async function load(fold) {
  fold.dataset.loaded = "yes";
  try {
    const answer = await fetch(fold.dataset.src, { cache: "no-store" });
    if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    while (fold.children.length > 1) fold.lastElementChild.remove();
    fold.append(document.importNode(page.getElementById("step-body"), true));
    fold.lastElementChild.removeAttribute("id");
  } catch (error) {
    delete fold.dataset.loaded;
    document.getElementById("state").textContent = `Not loaded: ${error.message}`;
  }
}

function keepLoaded(old, fresh) {
  const mixed = fresh.cloneNode(true);
  mixed.dataset.loaded = old.dataset.loaded;
  while (mixed.children.length > 1) mixed.lastElementChild.remove();
  for (const child of [...old.children].slice(1)) mixed.append(child.cloneNode(true));
  return mixed;
}

// A link to a fold, such as one from the picture, opens it.
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.nodeName === "DETAILS") {
    target.open = true;
    target.scrollIntoView({ block: "nearest" });
  }
}

async function refresh() {
  const main = document.getElementById("main");
  const state = document.getElementById("state");
  const every = Number(main.dataset.live);
  if (!every) return;
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
        etag = answer.headers.get("ETag");
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        // A notice was for one look; it goes with the next page, not with the next second.
        const notices = [...main.querySelectorAll(":scope > .notice[role=status]")].map((one) => one.cloneNode(true));
        const fresh = page.getElementById("main");
        if (!fresh.querySelector(":scope > .notice")) fresh.prepend(...notices);
        adopt(main, fresh);
      }
      failures = 0;
      state.textContent = "";
    } catch (error) {
      failures += 1;
      state.textContent = `Not live: ${error.message}. What you see may be old.`;
    }
  }
  setTimeout(refresh, 1000 * Math.min(every * 2 ** failures, SLOWEST));
}

document.addEventListener("toggle", ({ target }) => {
  if (target.open && target.dataset.src && !target.dataset.loaded) load(target);
}, true);
addEventListener("hashchange", openTarget);
openTarget();
setTimeout(refresh, 1000 * Number(document.getElementById("main").dataset.live || 0));
