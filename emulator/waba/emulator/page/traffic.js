// The requests of the bot and the webhooks to the bot: those of the selected message, or the newest.

import { html, useEffect, useState } from './vendor/preact-htm.js';
import { call, conversationOf, dataOf, list, store } from './connection.js';
import { asCurl, asLua, asSpec } from './copies.js';
import { duration, exactClock, fieldOf, Json } from './formats.js';
import { excerpt } from './messages.js';
import { Dialog } from './dialogs.js';

// The number of listed entries when no message is selected.
const NEWEST = 60;

async function fetchEntry(gateway, kind, sequence) {
  const found = await call(gateway.name, kind === 'request' ? 'received' : 'webhooks', { sequence });
  return list(found)[0];
}

function bodyText(body) {
  if (body && typeof body === 'object') return '(bytes that are not text)';
  return body;
}

function Body({ title, text, field }) {
  if (!text) return null;
  return html`<h3>${title}</h3><${Json} text=${bodyText(text)} field=${field} label=${title} />`;
}

function RequestDetails({ summary, entry }) {
  const error = summary.error;
  return html`${error && html`<p class="error">Refused: ${error.code} ${error.title}${error.details && error.details !== error.title
      ? html`<br />${error.details}` : ''}</p>`}
    <${Body} title="Request" text=${entry.body} field=${error && fieldOf(error.details)} />
    <${Body} title=${`Response ${entry.status}`} text=${entry.response} />`;
}

function WebhookDetails({ entry }) {
  return html`<p>To ${entry.url}</p>${entry.error && html`<p class="error">No response: ${entry.error}</p>`}
    <${Body} title="Webhook" text=${entry.body} />
    <${Body} title=${`Response ${entry.status}`} text=${entry.answer} />`;
}

function titleOf(kind, summary) {
  if (kind === 'request') {
    const what = summary.marks ? 'mark as read' : summary.type ? `${summary.type} to ${summary.to}` : '';
    return html`<strong>${summary.method} ${summary.path}</strong> ${what}`;
  }
  const events = summary.events.map((event) => (event.kind === 'message' ? `${event.type} of the customer` : `${event.kind} ${event.type}`));
  return html`<strong>Webhook</strong> ${events.join(', ') || 'event'}`;
}

function resultOf(summary) {
  if (summary.cut) return ['cut', 'bad'];
  if (!summary.status) return ['no response', 'bad'];
  return [String(summary.status), summary.status < 300 ? 'good' : 'bad'];
}

function Entry({ gateway, kind, summary, open }) {
  const [isOpen, setOpen] = useState(open);
  const [entry, setEntry] = useState(null);
  useEffect(() => {
    if (isOpen && !entry) fetchEntry(gateway, kind, summary.sequence).then((found) => setEntry(found || {}));
  }, [isOpen]);
  const [result, quality] = resultOf(summary);
  return html`<details class="entry" open=${isOpen} onToggle=${(event) => setOpen(event.target.open)}>
    <summary><span>${kind === 'request' ? '→' : '←'} ${titleOf(kind, summary)}</span>
      <span class=${'result ' + quality}>${result}</span>
      <small>${exactClock(summary.at)}${kind === 'attempt' ? ` · attempt ${summary.attempt} · ${duration(summary.seconds)}` : ''}</small></summary>
    ${isOpen && entry && (entry.sequence ? kind === 'request' ? html`<${RequestDetails} summary=${summary} entry=${entry} />`
      : html`<${WebhookDetails} entry=${entry} />` : html`<p>The emulator does not keep it any more.</p>`)}
  </details>`;
}

function messageOf(entry) {
  if (entry.message) return entry.message;
  let body = {};
  try { body = JSON.parse(entry.refused.refused); } catch { /* the body is not JSON, so the request has no message */ }
  return { direction: 'outbound', to: body.to, wa_id: body.to || '', type: body.type || 'text', content: body[body.type] || {} };
}

// Returns the customer's latest message before `message`.
function askedBefore(data, message) {
  const entries = message.wa_id ? conversationOf(data, message.wa_id) : [];
  const end = entries.findIndex((entry) => entry.message === message);
  for (let i = (end < 0 ? entries.length : end) - 1; i >= 0; i--) {
    if (entries[i].message && entries[i].message.direction === 'inbound') return entries[i].message;
  }
}

function Copies({ gateway, data, entry, requests, attempts }) {
  const [text, setText] = useState(null);
  const [copied, setCopied] = useState(null);
  const message = messageOf(entry);
  const contact = list(gateway.contacts).find((one) => one.wa_id === message.wa_id);
  async function copy(name, made) {
    try {
      await navigator.clipboard.writeText(made);
      setCopied(name);
      setTimeout(() => setCopied(null), 1500);
    } catch {
      setText(made); // the browser does not let the page write to the clipboard
    }
  }
  async function curl() {
    const request = message.direction === 'outbound' && requests.find((one) => !one.marks);
    const found = request ? await fetchEntry(gateway, 'request', request.sequence) : null;
    const attempt = !request && attempts[0] ? await fetchEntry(gateway, 'attempt', attempts[0].sequence) : null;
    copy('curl', asCurl(found, attempt, gateway, store.ca_file));
  }
  const button = (name, label, action, title) => html`<button type="button" title=${title} onClick=${action}>${copied === name ? 'Copied' : label}</button>`;
  return html`<div class="copies">
    ${button('lua', 'Copy as Lua', () => copy('lua', asLua(message, gateway, contact)))}
    ${button('curl', 'Copy as curl', curl)}
    ${button('spec', 'Copy as spec', () => copy('spec', asSpec(message, askedBefore(data, message), gateway, contact)),
      'A test for busted')}
    ${text && html`<${Dialog} title="Copy this text" onClose=${() => setText(null)}><pre class="json" tabindex="0">${text}</pre><//>`}</div>`;
}

export function Traffic({ gateway, selected, onClear }) {
  const data = dataOf(gateway.name);
  let entries;
  let requests = [];
  let attempts = [];
  if (selected) {
    const id = selected.message && selected.message.id;
    requests = selected.refused ? [selected.refused] : data.requestsOf.get(id) || [];
    attempts = data.attemptsOf.get(id) || [];
    entries = [...requests.map((one) => ['request', one]), ...attempts.map((one) => ['attempt', one])];
    entries.sort((a, b) => a[1].at - b[1].at);
  } else {
    entries = [...data.requests.slice(-NEWEST).map((one) => ['request', one]),
      ...data.attempts.slice(-NEWEST).map((one) => ['attempt', one])];
    entries.sort((a, b) => b[1].at - a[1].at);
    entries = entries.slice(0, NEWEST);
  }
  return html`<section class="traffic" aria-label="Traffic">
    ${selected ? html`<h2>Traffic of one message</h2><p class="excerpt">${excerpt(messageOf(selected))}</p>
        <${Copies} gateway=${gateway} data=${data} entry=${selected} requests=${requests} attempts=${attempts} />
        <button type="button" onClick=${onClear}>Show all traffic</button>`
      : html`<h2>Traffic</h2><p class="hint">${entries.length ? 'Newest first. Select a bubble in a phone to see what belongs to it.'
        : 'Requests of the bot and webhooks to it appear here.'}</p>`}
    ${selected && !entries.length && html`<p class="hint">${selected.message && selected.message.direction === 'inbound'
      ? gateway.webhook ? 'No webhook was posted for it yet.' : 'No webhook was posted: the bot has set no webhook URL.'
      : 'Its request is not kept any more.'}</p>`}
    ${entries.map(([kind, summary], i) => html`<${Entry} key=${(selected ? selected.key : '') + kind + summary.sequence} gateway=${gateway}
      kind=${kind} summary=${summary} open=${!!selected && i === 0} />`)}</section>`;
}
