// The script of the Stability page: it keeps the key of this tab, fetches views and puts them in place of what is shown.

const STORED_KEY = 'stability-key';
const REFRESH_MS = 30_000;
/** Where the page is: its other addresses are below. */
const BASE = location.pathname.replace(/\/$/, '');

const element = (id) => document.getElementById(id);
const content = element('content');

/** An answer other than success. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let key = sessionStorage.getItem(STORED_KEY);
/** Counts requests for views, so that an answer that was overtaken is dropped. */
let latest = 0;
/** The view that is shown, by its address. */
let shown;

// ── Requests ──

async function ask(path, body) {
  let response;
  try {
    response = await fetch(`${BASE}/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch {
    throw new Refusal(0, 'The API cannot be reached. Check the network.');
  }
  const text = await response.text();
  if (response.ok) return new DOMParser().parseFromString(text, 'text/html').body;
  throw new Refusal(response.status, reasonOf(response.status, text));
}

function reasonOf(status, text) {
  if (status === 403) return 'This key lacks the scope `admin`.';
  try {
    const problem = JSON.parse(text);
    const fields = (problem.errors ?? []).map(({ field, detail }) => `${field}: ${detail}`).join('; ');
    return fields || problem.detail || problem.message || `The API answered ${status}.`;
  } catch {
    return `The API answered ${status}.`;
  }
}

// ── Replacing what is shown ──

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute('data-key') : null);

/** Makes `current` like `wanted` and keeps the elements that both have, and with them scroll, focus and open details. */
function morph(current, wanted) {
  const keyed = new Map();
  for (const child of current.children) if (keyOf(child) !== null) keyed.set(keyOf(child), child);
  let place = current.firstChild;
  for (const next of wanted.childNodes) {
    const known = keyOf(next) === null ? undefined : keyed.get(keyOf(next));
    const match = known ?? (place !== null && keyOf(place) === null && isAlike(place, next) ? place : undefined);
    if (match === undefined) {
      current.insertBefore(document.importNode(next, true), place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else current.insertBefore(match, place);
    if (match.nodeType !== Node.ELEMENT_NODE) match.nodeValue = next.nodeValue;
    else {
      copyAttributes(match, next);
      morph(match, next);
    }
  }
  while (place !== null) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

const isAlike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

function copyAttributes(current, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  for (const { name } of Array.from(current.attributes)) {
    // Whether details are open is the reader's choice.
    if (!wanted.hasAttribute(name) && name !== 'open') current.removeAttribute(name);
  }
}

// ── Views ──

/** The view that the address names: `#/events?status=failed`. */
function route() {
  const [name = 'overview', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return { name: name === '' ? 'overview' : name, parameters: new URLSearchParams(query) };
}

function pathOf({ name, parameters }) {
  if (name === 'event') return `view/event/${encodeURIComponent(parameters.get('id') ?? '')}`;
  return `view/${encodeURIComponent(name)}${parameters.size === 0 ? '' : `?${parameters}`}`;
}

/** @param isMove whether the reader went to another view: then it is shown from its top, with the focus on its heading */
async function show(isMove) {
  const path = pathOf(route());
  const request = (latest += 1);
  if (isMove) {
    frameView();
    content.setAttribute('aria-busy', 'true');
  }
  try {
    const body = await ask(path);
    if (request !== latest) return;
    if (path === shown) morph(content, body);
    else content.replaceChildren(...[...body.childNodes].map((node) => document.importNode(node, true)));
    settle(path, isMove);
  } catch (error) {
    if (request === latest) fail(error, path);
  }
}

function settle(path, isMove) {
  const isFirst = shown === undefined;
  shown = path;
  content.classList.remove('stale');
  content.removeAttribute('aria-busy');
  element('problem').hidden = true;
  element('updated').textContent = `Updated ${new Date().toLocaleTimeString()}`;
  document.title = `${content.querySelector('h1')?.textContent.trim() ?? ''} – Stability`;
  if (!isMove) return;
  scrollTo(0, 0);
  if (!isFirst) content.querySelector('h1')?.focus({ preventScroll: true });
}

function fail(error, path) {
  content.removeAttribute('aria-busy');
  if (error.status === 401) {
    signOut(error.message);
    return;
  }
  const problem = element('problem');
  problem.hidden = false;
  const isKept = shown === path;
  problem.textContent = isKept ? `Could not be refreshed; older values are shown. ${error.message}` : error.message;
  if (isKept) content.classList.add('stale');
  else {
    content.replaceChildren();
    shown = undefined;
  }
}

/** Marks where the reader is, and fills the search with what the address asks for. */
function frameView() {
  const { name, parameters } = route();
  for (const link of document.querySelectorAll('[data-nav]')) {
    const isHere = link.dataset.nav === name || (link.dataset.nav === 'events' && name === 'event');
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  element('search-events').hidden = name !== 'events';
  element('search-user').hidden = name !== 'entitlements';
  element('about').value = parameters.get('about') ?? '';
  element('status').value = parameters.get('status') ?? '';
  element('user').value = parameters.get('user') ?? '';
}

/** Goes to the view of a form's fields; those that are empty are left out. */
function search(event, name) {
  event.preventDefault();
  const given = [...new FormData(event.target)].map(([field, value]) => [field, value.trim()]);
  const hash = `#/${name}?${new URLSearchParams(given.filter(([, value]) => value !== ''))}`;
  if (location.hash === hash) void show(true);
  else location.hash = hash;
}

// ── Signing in and out ──

async function signIn(event) {
  event.preventDefault();
  const button = event.target.querySelector('button');
  const error = element('key-error');
  error.textContent = '';
  key = element('key').value.trim();
  button.disabled = true;
  try {
    await ask('view/entitlements');
    sessionStorage.setItem(STORED_KEY, key);
    element('key').value = '';
    open();
  } catch (refusal) {
    error.textContent = refusal.message;
    element('key').focus();
  } finally {
    button.disabled = false;
  }
}

function open() {
  element('sign-in').hidden = true;
  element('frame').hidden = false;
  void show(true);
}

function signOut(reason = '') {
  sessionStorage.removeItem(STORED_KEY);
  key = null;
  latest += 1;
  shown = undefined;
  content.replaceChildren();
  element('retry').close();
  element('frame').hidden = true;
  element('sign-in').hidden = false;
  element('key-error').textContent = reason;
  document.title = 'Stability';
  element('key').focus();
}

// ── Retrying ──

/** `failed`, or the id of one event; and the provider of that. */
let wanted;
let provider;

function askToRetry(what, ofProvider) {
  wanted = what;
  provider = ofProvider;
  element('retry-title').textContent = what === 'failed' ? 'Retry all failed events?' : 'Retry this event?';
  element('retry-text').textContent =
    what === 'failed'
      ? 'Each event that failed is applied once more. One that fails again stays failed. It is recorded in the audit log.'
      : `${what} is applied once more. If it fails again, it stays failed. It is recorded in the audit log.`;
  element('retry-outcome').replaceChildren();
  element('retry-confirm').hidden = false;
  element('retry-confirm').disabled = false;
  element('retry-close').textContent = 'Cancel';
  element('retry').showModal();
}

/** What an error leaves open: an answer that did not arrive says nothing of what was done. */
function whyNotRetried({ status, message }, isLaterBatch) {
  if (status === 504 || status === 0) return `Refresh to see what was applied. ${message}`;
  return `${isLaterBatch ? 'The others were not retried.' : 'Not retried.'} ${message}`;
}

async function retry() {
  const confirm = element('retry-confirm');
  const outcome = element('retry-outcome');
  confirm.disabled = true;
  outcome.textContent = 'Applying …';
  const parts = [];
  try {
    let before;
    do {
      const body = await ask('retry', {
        ...(wanted === 'failed' ? { events: 'failed' } : { events: [wanted], provider }),
        ...(before ? { before } : {}),
      });
      before = body.firstElementChild.dataset.next;
      parts.push(...[...body.firstElementChild.childNodes].map((node) => document.importNode(node, true)));
      outcome.replaceChildren(...parts);
    } while (before && element('retry').open);
  } catch (error) {
    if (error.status === 401) {
      signOut(error.message);
      return;
    }
    const line = document.createElement('p');
    line.className = 'error';
    line.textContent = whyNotRetried(error, parts.length > 0);
    outcome.replaceChildren(...parts, line);
  }
  confirm.hidden = true;
  element('retry-close').textContent = 'Close';
  element('retry-close').focus();
  void show(false);
}

// ── Wiring ──

element('sign-in-form').addEventListener('submit', (event) => void signIn(event));
element('sign-out').addEventListener('click', () => signOut());
element('search-events').addEventListener('submit', (event) => search(event, 'events'));
element('search-user').addEventListener('submit', (event) => search(event, 'entitlements'));
element('status').addEventListener('change', () => element('search-events').requestSubmit());
element('retry-confirm').addEventListener('click', () => void retry());
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  content.focus();
});
content.addEventListener('click', (event) => {
  const button = event.target.closest('[data-retry]');
  if (button !== null) askToRetry(button.dataset.retry, button.dataset.provider);
});
element('retry').addEventListener('click', (event) => {
  if (event.target.closest('a') !== null) element('retry').close();
});
addEventListener('hashchange', () => {
  if (key !== null) void show(true);
});
const refresh = () => {
  if (key !== null && !document.hidden && element('auto').checked && !element('retry').open) void show(false);
};
setInterval(refresh, REFRESH_MS);
document.addEventListener('visibilitychange', refresh);
element('auto').addEventListener('change', refresh);

if (key === null) element('key').focus();
else open();
