import { html } from 'hono/html';
import type { Html } from './parts';

const VIEWS = [
  ['overview', 'Overview'],
  ['events', 'Events'],
  ['payments', 'Payments'],
  ['backups', 'Backups'],
  ['reconciliation', 'Reconciliation'],
  ['entitlements', 'Entitlements'],
] as const;

const STATUSES = ['failed', 'received', 'processing', 'processed', 'ignored', 'dismissed'];

/**
 * The page without data: the sign-in, and the frame that its script fills with views. Addresses are relative to the stage.
 *
 * @param withBitcoin whether the environment takes payments in bitcoin, which have a view of their own then
 */
export function shell(withBitcoin: boolean): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>Stability</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="admin/style.css" />
        <script src="admin/page.js" type="module"></script>
      </head>
      <body>
        ${signIn()} ${frame(withBitcoin)} ${retryDialog()}
      </body>
    </html>`;
}

function signIn(): Html {
  return html`<main id="sign-in" class="sign-in">
    <h1>Stability</h1>
    <p class="quiet">Billing operations: events, backups, reconciliation.</p>
    <form id="sign-in-form">
      <label for="key">Admin key</label>
      <input
        id="key"
        type="password"
        autocomplete="off"
        spellcheck="false"
        required
        aria-describedby="key-help key-error"
      />
      <p id="key-help" class="quiet">
        Of <code>ops keys create admin</code>. It stays in this tab, and is gone when you close it.
      </p>
      <p id="key-error" class="error" role="alert"></p>
      <button type="submit">Sign in</button>
    </form>
    <noscript><p class="verdict bad">The page needs JavaScript: it sends the key with each request.</p></noscript>
  </main>`;
}

function frame(withBitcoin: boolean): Html {
  const views = withBitcoin ? [...VIEWS, ['bitcoin', 'Bitcoin'] as const] : VIEWS;
  return html`<div id="frame" hidden>
    <a class="skip" href="#content">Skip to the content</a>
    <header>
      <p class="brand">Stability</p>
      <nav aria-label="Views">
        ${views.map(([name, title]) => html`<a href="#/${name}" data-nav="${name}">${title}</a>`)}
      </nav>
      <div class="tools">
        <span id="updated" class="quiet" role="status"></span>
        <label><input id="auto" type="checkbox" checked /> Refresh</label>
        <button type="button" id="sign-out" class="small">Sign out</button>
      </div>
    </header>
    <div id="problem" class="verdict bad" role="alert" hidden></div>
    <form id="search-events" class="search" role="search" hidden>
      <div>
        <label for="about">Event, customer, subscription or object</label>
        <input
          id="about"
          name="about"
          type="search"
          maxlength="255"
          placeholder="evt_… cus_… sub_…"
          spellcheck="false"
        />
      </div>
      <div>
        <label for="status">Status</label>
        <select id="status" name="status">
          <option value="">all</option>
          ${STATUSES.map((name) => html`<option>${name}</option>`)}
        </select>
      </div>
      <button type="submit">Search</button>
    </form>
    <form id="search-user" class="search" role="search" hidden>
      <div>
        <label for="user">User</label>
        <input id="user" name="user" type="search" maxlength="500" spellcheck="false" required />
      </div>
      <button type="submit">Look up</button>
    </form>
    <main id="content" tabindex="-1" aria-busy="true"></main>
  </div>`;
}

function retryDialog(): Html {
  return html`<dialog id="retry" aria-labelledby="retry-title">
    <form method="dialog">
      <h2 id="retry-title">Retry</h2>
      <p id="retry-text"></p>
      <div id="retry-outcome" role="status"></div>
      <p class="actions">
        <button type="button" id="retry-confirm">Retry</button>
        <button id="retry-close" class="plain">Cancel</button>
      </p>
    </form>
  </dialog>`;
}
