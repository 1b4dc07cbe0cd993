// The page: the bar, the phones side by side, and the panel of traffic or failures.

import { html, render, useEffect, useState } from './vendor/preact-htm.js';
import { call, connect, dataOf, list, report, store, subscribe } from './connection.js';
import { phone } from './formats.js';
import { Phone } from './phone.js';
import { Switches } from './switches.js';
import { Traffic } from './traffic.js';

const NAMES = ['Eva', 'Ben', 'Ada', 'Noah', 'Mia', 'Omar', 'Lin', 'Zoe', 'Ivo', 'Ana'];
// A narrow window shows only one phone or the panel. style.css has the same width.
const NARROW = matchMedia('(max-width: 900px)');
// The number of phones that open automatically.
const AT_ONCE = 3;
// The largest number of customers that have buttons; the other customers are found by name or number.
const MOST_NAMED = 30;

const HOSTINGS = { on_premise: 'On-Premise', cloud: 'Cloud' };

const CONNECTION_ERRORS = {
  connecting: null,
  lost: 'The emulator does not respond. It may have ended: start it again, and open the URL that it prints.',
  refused: 'The token in this URL is wrong. Each start of the emulator has another token: open the URL that it prints.',
};

// Returns the gateway that the page shows first: if possible, a gateway with a webhook URL or with messages.
function usualGateway() {
  return store.gateways.find((one) => one.webhook) || store.gateways.find((one) => dataOf(one.name).byId.size)
    || store.gateways.find((one) => one.name === 'on_premise') || store.gateways[0];
}

const numberOf = (i) => '4915112345' + String(601 + i);

function freshCustomer(known) {
  for (let i = 0; ; i++) {
    if (!known.some((one) => one.wa_id === numberOf(i))) {
      return { wa_id: numberOf(i), name: NAMES[i] || `Customer ${i + 1}` };
    }
  }
}

// The customers of a gateway, in the order in which they appeared.
function customersOf(gateway, made) {
  const known = new Map(made.map((one) => [one.wa_id, one]));
  for (const waId of dataOf(gateway.name).conversations.keys()) {
    if (!known.has(waId)) known.set(waId, { wa_id: waId });
  }
  for (const contact of list(gateway.contacts)) {
    if (contact.name || contact.last_inbound) known.set(contact.wa_id, { ...known.get(contact.wa_id), wa_id: contact.wa_id });
  }
  if (!known.size) known.set(numberOf(0), freshCustomer([]));
  const contacts = new Map(list(gateway.contacts).map((one) => [one.wa_id, one]));
  return [...known.values()].map((one) => {
    const contact = contacts.get(one.wa_id) || {};
    return { ...one, name: contact.name || one.name || phone(one.wa_id), user_id: contact.user_id, username: contact.username,
      hidden: contact.hidden };
  });
}

function Bar({ gateway, gateways, onGateway, onNewCustomer, panel, onPanel, disabled }) {
  const toggle = (name, label, title) => html`<button type="button" aria-pressed=${panel === name} title=${title}
    onClick=${() => onPanel(panel === name ? null : name)}>${label}</button>`;
  return html`<header class="bar"><h1>WhatsApp emulator</h1>
    <label class="number"><span>Number</span><select aria-label="Number of the bot" value=${gateway.name} onChange=${(event) => onGateway(event.target.value)}>
      ${gateways.map((one) => html`<option value=${one.name}>${phone(one.number)} (${HOSTINGS[one.kind]})</option>`)}</select></label>
    <span class=${'bot ' + (gateway.webhook ? 'there' : 'absent')} role="status">${gateway.webhook ? 'A bot is connected'
      : 'No bot is connected'}</span>
    <span class="space"></span>
    <button type="button" class="primary" onClick=${onNewCustomer} disabled=${disabled}>New customer</button>
    ${toggle('traffic', 'Traffic', 'Requests of the bot and webhooks to it')}
    ${toggle('switches', 'Simulate failures', 'Failures, webhooks, the clock, limits and further numbers')}</header>`;
}

function Customers({ customers, isShown, current, onOpen }) {
  const [wanted, setWanted] = useState('');
  const found = wanted ? customers.filter((one) => `${one.name} ${one.wa_id}`.toLowerCase().includes(wanted.toLowerCase())) : customers;
  return html`<nav class="customers" aria-label="Customers">
    ${customers.length > MOST_NAMED && html`<input aria-label="Find a customer" placeholder=${`Find (${customers.length})`} value=${wanted}
      onInput=${(event) => setWanted(event.target.value.trim())} />`}
    ${found.slice(0, MOST_NAMED).map((one) => html`<button type="button" key=${one.wa_id} aria-pressed=${isShown(one)}
      class=${one.wa_id === current ? 'current' : ''} aria-current=${one.wa_id === current}
      title=${isShown(one) ? 'Go to this phone' : 'Show this phone'} onClick=${() => onOpen(one)}>${one.name}</button>`)}</nav>`;
}

function Notices({ gateway }) {
  const error = store.ready || store.status !== 'live' ? CONNECTION_ERRORS[store.status] : null;
  return html`<section aria-label="Notices">${error && html`<p class="notice bad" role="alert">${error}</p>`}
    ${store.error && html`<p class="notice bad" role="alert" key=${store.error.id}>${store.error.message}
      <button type="button" class="icon" aria-label="Dismiss" onClick=${() => report(null)}>✕</button></p>`}
    ${store.status === 'live' && gateway && !gateway.webhook && html`<p class="notice">No bot listens at this number yet. Start your
      bot with the variables that the emulator has printed; it is connected as soon as it sets its webhook URL.</p>`}</section>`;
}

function App() {
  const [, redraw] = useState(0);
  const [picked, setPicked] = useState(() => sessionStorage.getItem('number'));
  const [made, setMade] = useState({});
  const [open, setOpen] = useState({});
  const [active, setActive] = useState(null);
  const [selected, setSelected] = useState(null);
  const [panel, setPanel] = useState(NARROW.matches ? null : 'traffic');
  useEffect(() => {
    const draw = () => redraw((count) => count + 1);
    const timer = setInterval(draw, 5000); // typing indicators, 24-hour windows and the clock change with time
    const end = subscribe(draw);
    NARROW.addEventListener('change', () => NARROW.matches && setPanel(null));
    return () => { clearInterval(timer); end(); };
  }, []);

  useEffect(() => {
    const place = document.querySelector('.place.current');
    if (place) place.scrollIntoView({ inline: 'nearest', block: 'nearest' });
  }, [active]);

  const gateway = store.gateways.find((one) => one.name === picked) || usualGateway();
  if (!gateway || !store.ready) {
    return html`<${Notices} />${!CONNECTION_ERRORS[store.status] && html`<p class="notice">Connecting…</p>`}`;
  }
  const disabled = store.status !== 'live';
  const customers = customersOf(gateway, made[gateway.name] || []);
  const wanted = open[gateway.name];
  const closed = new Set((wanted && wanted.closed) || []);
  const shown = new Set((wanted && wanted.shown) || []);
  const isShown = (one) => shown.has(one.wa_id) || !closed.has(one.wa_id)
    && customers.filter((other) => !closed.has(other.wa_id)).indexOf(one) < AT_ONCE;
  const phones = customers.filter(isShown);
  const current = phones.some((one) => one.wa_id === active) ? active : phones.length && phones[0].wa_id;

  function setShown(waId, isOpen) {
    shown.delete(waId);
    closed.delete(waId);
    (isOpen ? shown : closed).add(waId);
    setOpen({ ...open, [gateway.name]: { shown: [...shown], closed: [...closed] } });
    if (isOpen) setActive(waId);
  }
  function pick(name) {
    sessionStorage.setItem('number', name);
    setPicked(name);
    setSelected(null);
  }
  // The first customer exists in this page only, until a message is written as this customer.
  function use(customer) {
    const known = made[gateway.name] || [];
    if (!known.some((one) => one.wa_id === customer.wa_id)) setMade({ ...made, [gateway.name]: [...known, customer] });
  }
  function newCustomer() {
    const customer = freshCustomer(customers);
    setMade({ ...made, [gateway.name]: [...customers, customer] });
    setShown(customer.wa_id, true);
    call(gateway.name, 'contact', { number: customer.wa_id, about: { name: customer.name } });
  }
  function select(entry, isWanted) {
    setSelected(entry);
    if (isWanted || (!NARROW.matches && panel === null)) setPanel('traffic');
  }
  return html`<${Bar} gateway=${gateway} gateways=${store.gateways} onNewCustomer=${newCustomer} panel=${panel} onPanel=${setPanel}
      disabled=${disabled} onGateway=${pick} />
    <${Notices} gateway=${gateway} />
    ${customers.length > 1 && html`<${Customers} customers=${customers} isShown=${isShown} current=${current}
      onOpen=${(one) => (isShown(one) ? setActive(one.wa_id) : setShown(one.wa_id, true))} />`}
    <main class=${panel ? 'with-panel' : ''}>
      <div class="phones">${phones.map((customer) => html`<div key=${gateway.name + customer.wa_id}
        class=${'place' + (customer.wa_id === current ? ' current' : '')}><${Phone} gateway=${gateway} customer=${customer}
        selected=${selected && selected.key} onSelect=${select} disabled=${disabled} closable=${phones.length > 1} 
        onUse=${() => { use(customer); setActive(customer.wa_id); }}
        onClose=${() => setShown(customer.wa_id, false)} /></div>`)}</div>
      ${panel && html`<aside><button type="button" class="back" onClick=${() => setPanel(null)}>Back to the phone</button>
        ${panel === 'traffic' ? html`<${Traffic} gateway=${gateway} selected=${selected} onClear=${() => setSelected(null)} />`
        : html`<${Switches} gateway=${gateway} />`}</aside>`}
    </main>`;
}

render(html`<${App} />`, document.getElementById('page'));
connect();
