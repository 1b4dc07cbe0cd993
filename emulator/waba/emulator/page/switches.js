// The conditions under which the gateway works: failures, webhooks, time, and the number.

import { html, useState } from './vendor/preact-htm.js';
import { call, list, now, report, store } from './connection.js';

const FOREVER = 1000000;

const messagesPath = (gateway) => (gateway.kind === 'cloud' ? '/messages' : '/v1/messages');

function codeTitle(code) {
  for (const rows of Object.values(store.codes)) {
    const row = list(rows).find((one) => one.code === code);
    if (row) return `${code} ${row.title}`;
  }
  return code || '';
}

function describeFailure(failure) {
  const times = failure.times >= FOREVER / 2 ? 'each request' : failure.times === 1 ? 'the next request' : `the next ${failure.times} requests`;
  if (failure.drop) return `Connection cut ${failure.drop === 'before' ? 'before' : 'after'} it takes effect: ${times}`;
  if (failure.delay) return `${failure.delay} s late: ${times}`;
  return `Error ${codeTitle(failure.code || failure.status)}: ${times}`;
}

function describeStatusFailure(failure) {
  return `Status failed with ${failure.code || 'errors'}: the next ${failure.times === 1 ? 'accepted one' : `${failure.times} accepted ones`}`;
}

function Failures({ gateway }) {
  const [code, setCode] = useState('');
  const [place, setPlace] = useState('response');
  const [times, setTimes] = useState(1);
  const [delay, setDelay] = useState(3);
  const codes = list(store.codes[gateway.kind]);
  const chosen = code || String((codes[0] || {}).code);
  const inForce = [...list(gateway.failures).map(describeFailure), ...list(gateway.status_failures).map(describeStatusFailure)];
  const only = { method: 'POST', path: messagesPath(gateway) };
  const fail = (command) => call(gateway.name, 'fail_next', command);
  function apply() {
    if (place === 'status') call(gateway.name, 'fail_status', { code: Number(chosen), times });
    else fail({ ...only, code: Number(chosen), times });
  }
  return html`<fieldset><legend>Next messages of the bot</legend>
    <label>Error<select value=${chosen} onChange=${(event) => setCode(event.target.value)}>${codes.map((row) => html`
      <option value=${row.code}>${row.code} ${row.title}</option>`)}</select></label>
    <label>Reported<select value=${place} onChange=${(event) => setPlace(event.target.value)}>
      <option value="response">in the response (refused)</option>
      <option value="status">later (accepted, then failed)</option></select></label>
    <label>How often<input type="number" min="1" value=${times} onInput=${(event) => setTimes(Math.max(1, Number(event.target.value) || 1))} /></label>
    <div class="row"><button type="button" onClick=${apply}>Fail next</button></div>
    <div class="row"><button type="button" onClick=${() => fail({ ...only, drop: 'before' })}>Cut connection before it is accepted</button>
      <button type="button" onClick=${() => fail({ ...only, drop: 'after' })}>Cut connection after it is accepted</button></div>
    <label>Seconds of delay<input type="number" min="0" step="0.5" value=${delay} onInput=${(event) => setDelay(Number(event.target.value))} /></label>
    <div class="row"><button type="button" onClick=${() => fail({ ...only, delay, times: FOREVER })}>Delay each response</button></div>
    ${inForce.length > 0 && html`<ul class="in-force" aria-label="In force">${inForce.map((line) => html`<li>${line}</li>`)}</ul>
      <button type="button" onClick=${() => call(gateway.name, 'clear_faults')}>End all failures</button>`}
  </fieldset>`;
}

const STATUSES = { read: { sent: 0, delivered: 0.05, read: 0.1, played: 0.15 }, delivered: { sent: 0, delivered: 0.05 },
  sent: { sent: 0 }, none: false };

function lastStatus(statuses) {
  if (!statuses) return 'none';
  return ['read', 'delivered', 'sent'].find((name) => typeof statuses[name] === 'number') || 'none';
}

function Webhooks({ gateway }) {
  const configure = (options) => call(gateway.name, 'configure', options);
  return html`<fieldset><legend>Webhooks</legend>
    <p class="hint">${gateway.webhook ? `They go to ${gateway.webhook}` : 'The bot has set no webhook URL yet.'}</p>
    <label class="check"><input type="checkbox" checked=${gateway.duplicates > 0}
      onChange=${(event) => configure({ webhooks: { duplicates: event.target.checked ? 1 : 0 } })} /> Deliver each one twice</label>
    <label class="check"><input type="checkbox" checked=${gateway.reorder > 0}
      onChange=${(event) => configure({ webhooks: { reorder: event.target.checked ? 0.5 : 0 } })} /> Deliver out of order</label>
    <label>Last status<select value=${lastStatus(gateway.statuses)} onChange=${(event) => configure({ statuses: STATUSES[event.target.value] })}>
      ${Object.keys(STATUSES).map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
  </fieldset>`;
}

const STEPS = [['1 minute', 60], ['1 hour', 3600], ['24 hours', 86400]];

function Time({ gateway }) {
  const advance = (seconds) => call(gateway.name, 'advance', { seconds });
  async function closeWindows() {
    await call(gateway.name, 'configure', { window: true });
    advance(86400);
  }
  return html`<fieldset><legend>Time</legend>
    <p>The emulator’s clock: ${new Date(now() * 1000).toLocaleString()}</p>
    <div class="row">${STEPS.map(([label, seconds]) => html`<button type="button" onClick=${() => advance(seconds)}>Forward ${label}</button>`)}</div>
    <label class="check"><input type="checkbox" checked=${!!gateway.window}
      onChange=${(event) => call(gateway.name, 'configure', { window: event.target.checked })} /> Enforce the 24-hour window</label>
    <div class="row"><button type="button" onClick=${closeWindows}>Close all windows now</button></div></fieldset>`;
}

const QUALITIES = ['GREEN', 'YELLOW', 'RED'];
const LIMITS = ['TIER_250', 'TIER_2K', 'TIER_10K', 'TIER_100K', 'TIER_UNLIMITED'];
const HEALTH = ['AVAILABLE', 'LIMITED', 'BLOCKED'];

function CloudNumber({ gateway }) {
  const chosen = { quality: gateway.quality || 'GREEN', limit: gateway.limit || 'TIER_2K', health: gateway.health || 'AVAILABLE' };
  async function set(changes) {
    // Stores the values here, because the next change can happen before the emulator sends the new state.
    Object.assign(gateway, chosen, changes);
    Object.assign(chosen, changes);
    await call(gateway.name, 'health', { status: chosen.health,
      fields: { quality_rating: chosen.quality, whatsapp_business_manager_messaging_limit: chosen.limit } });
    if (changes.limit) {
      call(gateway.name, 'change', { field: 'phone_number_quality_update', value: { display_phone_number: gateway.number,
        event: 'THROUGHPUT_UPGRADE', max_daily_conversations_per_business: chosen.limit } });
    }
  }
  const choice = (label, name, value, options) => html`<label>${label}<select value=${value}
    onChange=${(event) => set({ [name]: event.target.value })}>${options.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>`;
  return html`${choice('Quality', 'quality', chosen.quality, QUALITIES)}${choice('Messaging limit', 'limit', chosen.limit, LIMITS)}
    ${choice('Health', 'health', chosen.health, HEALTH)}`;
}

function Numbers({ gateway }) {
  const [number, setNumber] = useState('');
  async function add(event) {
    event.preventDefault();
    const digits = number.replace(/\D/g, '');
    if (digits.length < 7) return report('A number has 7 to 15 digits with country code.');
    if (await call(gateway.name, 'add_number', { number: digits })) setNumber('');
  }
  return html`<fieldset><legend>Number and hosting</legend>
    <p class="hint">${gateway.url}</p>
    ${gateway.kind === 'cloud' ? html`<${CloudNumber} gateway=${gateway} />`
      : html`<div class="row"><button type="button" onClick=${() => call(gateway.name, 'restart', { seconds: 10 })}>Restart the gateway (10 s)</button></div>`}
    <form onSubmit=${add}><label>Further number of the business<input value=${number} inputmode="tel" placeholder="4930555…"
      onInput=${(event) => setNumber(event.target.value)} /></label><button>Add number</button></form></fieldset>`;
}

export function Switches({ gateway }) {
  return html`<section class="switches" aria-label="Simulate failures"><h2>Simulate failures</h2>
    <${Failures} gateway=${gateway} /><${Webhooks} gateway=${gateway} /><${Time} gateway=${gateway} />
    <${Numbers} gateway=${gateway} /></section>`;
}
