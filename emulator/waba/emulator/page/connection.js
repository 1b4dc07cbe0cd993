// The connection to the emulator: its events, its calls, and the state of each gateway.

export const token = new URLSearchParams(location.search).get('token') || '';

// status: "connecting", "live", "lost" (the emulator does not respond) or "refused" (the token is wrong).
export const store = { status: 'connecting', gateways: [], codes: {}, skew: 0, data: {}, ready: false, error: null };

const listeners = new Set();
let scheduled = false;

export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Draws the page again after a short delay, so that changes at about the same time are drawn together.
export function changed() {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    for (const listener of listeners) listener();
  }, 16);
}

export const now = () => Date.now() / 1000 + store.skew;
export const digits = (text) => String(text || '').replace(/\D/g, '');

// ---- The state of a gateway ---------------------------------------------------------------------

function newData() {
  return { byId: new Map(), conversations: new Map(), reactions: new Map(), requests: [], requestBySequence: new Map(),
    requestsOf: new Map(), attempts: [], attemptsOf: new Map(), typing: new Map() };
}

export function dataOf(name) { return store.data[name] || (store.data[name] = newData()); }

const NOTHING = [];

export function conversationOf(data, waId) { return data.conversations.get(waId) || NOTHING; }

function push(map, key, value) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(value);
}

// A reaction is shown below the message that it refers to, and is not an entry of the conversation.
function addReaction(data, message) {
  const { message_id: id, emoji } = message.content || {};
  if (!id) return false;
  if (!data.reactions.has(id)) data.reactions.set(id, {});
  data.reactions.get(id)[message.direction] = message.status === 'failed' ? '' : emoji || '';
  return data.byId.has(id);
}

function addMessage(data, message) {
  const known = data.byId.get(message.id);
  if (message.typing && !(known && known.message.typing)) data.typing.set(message.wa_id, Date.now());
  if (message.direction === 'outbound') data.typing.delete(message.wa_id);
  if (known) {
    known.message = message;
    if (message.type === 'reaction') addReaction(data, message);
    return;
  }
  const entry = { key: message.id, message };
  data.byId.set(message.id, entry);
  if (message.type === 'reaction' && addReaction(data, message)) return;
  push(data.conversations, message.wa_id, entry);
}

function waIdOf(name, to) {
  const gateway = store.gateways.find((one) => one.name === name);
  const contact = gateway && list(gateway.contacts).find((one) => one.user_id === to);
  return contact ? contact.wa_id : digits(to);
}

function addRequest(data, request, name) {
  data.requests.push(request);
  for (const id of [request.id, request.marks]) if (id) push(data.requestsOf, id, request);
  if (request.refused && request.to) {
    push(data.conversations, waIdOf(name, request.to), { key: 'request ' + request.sequence, refused: request });
  }
}

function addAttempt(data, attempt) {
  attempt.events = list(attempt.events);
  data.attempts.push(attempt);
  for (const event of attempt.events) if (event.id) push(data.attemptsOf, event.id, attempt);
}

const ADD = { message: addMessage, request: addRequest, attempt: addAttempt };

// An empty Lua table may be written as an object.
export function list(value) { return Array.isArray(value) ? value : []; }

// ---- Events -------------------------------------------------------------------------------------

function readSnapshot(snapshot) {
  store.data = {};
  store.codes = snapshot.codes;
  for (const [name, parts] of Object.entries(snapshot.gateways)) {
    const data = dataOf(name);
    // Adds requests and messages in the order of their times, so that refused messages have the right position.
    const entries = [];
    for (const kind of Object.keys(ADD)) for (const entry of list(parts[kind])) entries.push([kind, entry]);
    entries.sort((a, b) => a[1].at - b[1].at);
    for (const [kind, entry] of entries) ADD[kind](data, entry, name);
    data.typing.clear();
  }
  store.ready = true;
}

function setStatus(status) {
  if (store.status !== status) {
    store.status = status;
    changed();
  }
}

async function findReason() {
  try {
    const response = await fetch('/?token=' + encodeURIComponent(token), { method: 'HEAD' });
    setStatus(response.status === 403 ? 'refused' : 'lost');
  } catch {
    setStatus('lost');
  }
  if (store.status === 'lost') setTimeout(connect, 2000);
}

export function connect() {
  const source = new EventSource('/events?token=' + encodeURIComponent(token));
  source.onopen = () => setStatus('live');
  source.onerror = () => {
    source.close();
    findReason();
  };
  source.addEventListener('state', (event) => {
    Object.assign(store, JSON.parse(event.data));
    changed();
  });
  source.addEventListener('snapshot', (event) => {
    readSnapshot(JSON.parse(event.data));
    changed();
  });
  for (const kind of Object.keys(ADD)) {
    source.addEventListener(kind, (event) => {
      const { gateway, entry } = JSON.parse(event.data);
      ADD[kind](dataOf(gateway), entry, gateway);
      changed();
    });
  }
}

// ---- Calls --------------------------------------------------------------------------------------

let errorCount = 0;

export function report(message) {
  store.error = message ? { message, id: ++errorCount } : null;
  changed();
}

async function post(path, body, type) {
  let response;
  try {
    response = await fetch(path, { method: 'POST', body, headers: { 'X-Waba-Emulator': token, 'Content-Type': type } });
  } catch {
    throw new Error('The emulator does not respond. It may have ended.');
  }
  const decoded = await response.json().catch(() => ({ error: 'status ' + response.status }));
  if (!response.ok) throw new Error(decoded.error);
  return decoded.result;
}

let queue = Promise.resolve();

// Makes one call after the other, because requests on several connections could overtake each other.
function inOrder(action) {
  const result = queue.then(action);
  queue = result.catch(() => {});
  return result;
}

// Makes a call of the control port. If the call fails, shows the error and returns undefined.
export async function call(gateway, name, args) {
  try {
    return await inOrder(() => post(`/${encodeURIComponent(gateway)}/call/${name}`, JSON.stringify(args || {}), 'application/json'));
  } catch (error) {
    report(error.message);
  }
}

// Uploads a file of a customer. Returns the id of the file.
export async function upload(gateway, file, type) {
  try {
    return await post(`/${encodeURIComponent(gateway)}/media`, file, type);
  } catch (error) {
    report(`${file.name || 'The recording'}: ${error.message}`);
  }
}

export function mediaUrl(gateway, id) {
  return `/media/${encodeURIComponent(gateway)}/${encodeURIComponent(id)}?token=${encodeURIComponent(token)}`;
}
