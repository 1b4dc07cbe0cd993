// The phone of one customer: the conversation, and the customer's actions.

import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/preact-htm.js';
import { call, conversationOf, dataOf, list, now, report, upload } from './connection.js';
import { bytes, clock, day, markup, phone } from './formats.js';
import { ContactDialog, FlowDialog, ListDialog, LocationDialog, Dialog } from './dialogs.js';
import { Content, excerpt } from './messages.js';
import { Recording } from './voice.js';

// The number of messages that are drawn; buttons show the others.
const WINDOW = 120;
// Milliseconds for which a typing indicator is shown.
const TYPING = 25000;

// ---- Statuses -----------------------------------------------------------------------------------

const CHECK = html`<svg viewBox="0 0 13 12" aria-hidden="true"><path d="M1.5 6.5 5 10 11.5 2" /></svg>`;
const CHECKS = html`<svg viewBox="0 0 22 12" aria-hidden="true"><path d="M1.5 6.5 5 10 11.5 2M10.5 7 13.5 10 20 2" /></svg>`;
const TICKS = { waiting: '🕓', sent: CHECK, delivered: CHECKS, read: CHECKS, played: CHECKS, failed: '!' };

function Tick({ status, title }) {
  return html`<span class="tick ${status}" role="img" aria-label=${status} title=${title || status}>${TICKS[status]}</span>`;
}

// Returns the status of a customer's message. "delivered": the bot has accepted the webhook. "read": the bot has marked
// the message as read.
function inboundStatus(message, data, gateway, contact) {
  const attempts = data.attemptsOf.get(message.id) || [];
  const last = attempts[attempts.length - 1];
  if (message.read) return ['read', 'read: the bot has marked it as read'];
  if (attempts.some((attempt) => attempt.status === 200)) return ['delivered', 'delivered: the bot’s webhook responded with 200'];
  if (last) {
    return ['sent', `sent; the bot’s webhook ${last.status ? `responded with ${last.status}` : `did not respond (${last.error})`}`,
      `The bot’s webhook ${last.status ? `responded with ${last.status}` : 'cannot be reached'}; attempt ${last.attempt}`];
  }
  if (contact && contact.blocked) return ['sent', 'sent; the bot has blocked this customer', 'The bot has blocked this customer'];
  if (!gateway.webhook) return ['sent', 'sent; no bot listens: no webhook URL is set'];
  return ['sent', 'sent'];
}

// Returns a text such as "131026 Message undeliverable. Receiver is incapable of receiving this message".
function reasonOf(error) {
  const title = error.title || error.message || '';
  const details = (error.error_data && error.error_data.details) || error.details || '';
  return `${error.code} ${title}${details && !details.startsWith(title) ? `. ${details}` : details.slice(title.length)}`;
}

function Status({ message, data, gateway, contact }) {
  if (message.direction === 'inbound') {
    const [status, title, note] = inboundStatus(message, data, gateway, contact);
    return html`<span class="meta">${clock(message.at)} <${Tick} status=${status} title=${title} /></span>
      ${note && html`<span class="note">${note}</span>`}`;
  }
  const status = TICKS[message.status] ? message.status : 'waiting';
  const [error] = list(message.errors);
  return html`<span class="meta">${clock(message.at)} <${Tick} status=${status} title=${`status reported to the bot: ${status}`} /></span>
    ${error && html`<span class="note error">${`${message.status === 'warning' ? 'Warning' : 'Not delivered'}: ${reasonOf(error)}`}</span>`}`;
}

// ---- One message --------------------------------------------------------------------------------

function Quote({ id, data }) {
  const quoted = data.byId.get(id);
  return html`<p class="quoted">${quoted ? markup(excerpt(quoted.message)) : 'A message that is not here'}</p>`;
}

function Reactions({ reactions }) {
  const shown = Object.values(reactions || {}).filter(Boolean);
  if (!shown.length) return null;
  return html`<span class="reactions" role="img" aria-label=${`Reaction ${shown.join(' ')}`}>${shown.join(' ')}</span>`;
}

function Refused({ request, selected, onSelect, onDetails, context }) {
  let body = {};
  try { body = JSON.parse(request.refused); } catch { /* the body is not JSON, and is shown as text */ }
  const error = request.error || {};
  const content = body[body.type];
  return html`<article aria-label="The bot wrote" class=${'bubble theirs refused' + (selected ? ' selected' : '')} onClick=${onSelect}>
    <p class="note error"><strong>Refused: ${error.code} ${error.details || error.title || `status ${request.status}`}</strong></p>
    <p class="note error">The customer does not see this.</p>
    ${content && html`<${Content} message=${{ type: body.type, content }} context=${{ ...context, act: undefined }} />`}
    <span class="meta">${clock(request.at)} <${Tick} status="failed" title="The gateway refused the request" /></span>
    <div class="actions"><button type="button" onClick=${onDetails}>Details</button></div></article>`;
}

function Bubble({ entry, data, context, contact, selected, onSelect, onDetails, onReply, onReact }) {
  if (entry.refused) return html`<${Refused} request=${entry.refused} selected=${selected} onSelect=${onSelect} onDetails=${onDetails}
    context=${context} />`;
  const { message } = entry;
  const own = message.direction === 'inbound';
  return html`<article aria-label=${own ? `${context.customer} wrote` : 'The bot wrote'} class=${(own ? 'bubble own' : 'bubble theirs') + (selected ? ' selected' : '')
      + (message.status === 'failed' ? ' failed' : '')} onClick=${onSelect}>
    ${message.reply_to && html`<${Quote} id=${message.reply_to} data=${data} />`}
    <${Content} message=${message} context=${own ? { ...context, act: undefined } : context} />
    <${Status} message=${message} data=${data} gateway=${context.gateway} contact=${contact} />
    <${Reactions} reactions=${data.reactions.get(message.id)} />
    <div class="actions"><button type="button" onClick=${onReply}>Reply</button>
      <button type="button" onClick=${onReact}>React</button><button type="button" onClick=${onDetails}>Details</button></div>
  </article>`;
}

// ---- The conversation ---------------------------------------------------------------------------

const atOf = (entry) => (entry.message || entry.refused).at;

function Conversation({ entries, customer, render, typing }) {
  const [end, setEnd] = useState(null);
  const box = useRef(null);
  const atBottom = useRef(true);
  const last = end === null ? entries.length : Math.min(end, entries.length);
  const first = Math.max(0, last - WINDOW);
  const height = useRef(0);
  const follow = () => {
    height.current = box.current.scrollHeight;
    if (atBottom.current) box.current.scrollTop = height.current;
  };
  useLayoutEffect(() => {
    if (end === null) follow();
  }, [entries.length, end, typing, entries.length && entries[entries.length - 1].message]);
  // Scrolls to the newest message when the window or a loaded picture changes the height.
  useEffect(() => {
    const observer = new ResizeObserver(follow);
    observer.observe(box.current);
    box.current.addEventListener('load', follow, true);
    return () => observer.disconnect();
  }, []);
  const onScroll = () => {
    const { scrollTop, clientHeight, scrollHeight } = box.current;
    // The browser also scrolls when a picture above has changed the height.
    if (scrollHeight !== height.current) return follow();
    atBottom.current = scrollHeight - scrollTop - clientHeight < 40;
  };
  const go = (to) => {
    atBottom.current = to === null;
    setEnd(to === null || to >= entries.length ? null : Math.max(WINDOW, to));
    if (to !== null) box.current.scrollTop = 0;
  };
  let before;
  return html`<div class="conversation" role="log" aria-label=${`Conversation of ${customer}`} tabindex="0" ref=${box} onScroll=${onScroll}>
    ${!entries.length && html`<p class="day">You are ${customer}, a customer of the business. What you write reaches your bot as a webhook,
      and its replies appear here.</p>`}
    ${first > 0 && html`<button type="button" class="more" onClick=${() => go(last - WINDOW / 2)}>Show earlier (${first} more)</button>`}
    ${entries.slice(first, last).map((entry) => {
      const today = day(atOf(entry));
      const isNew = today !== before;
      before = today;
      return html`${isNew && html`<p class="day" key=${'day ' + today + entry.key}>${today}</p>`}${render(entry)}`;
    })}
    ${last < entries.length && html`<p class="more"><button type="button" onClick=${() => go(last + WINDOW / 2)}>Show later</button>
      <button type="button" onClick=${() => go(null)}>Show newest</button></p>`}
    ${typing && html`<p class="bubble theirs typing" aria-label="The bot is typing">typing…</p>`}
  </div>`;
}

// ---- The customer's messages --------------------------------------------------------------------

const EMOJI = [...'😀😂😊😍😎🤔😢😡👍👎🙏👏💪🎉🔥❤💚⭐✅❌❓🍕☕🚗'].map((one) => (one === '❤' ? '❤️' : one));

// The largest size of files in bytes (docs/platform/cloud.md, section 5).
const MB = 1048576;
const FILES = {
  image: { label: 'Picture', icon: '🖼', accept: 'image/jpeg,image/png', most: 5 * MB },
  video: { label: 'Video', icon: '🎬', accept: 'video/mp4,video/3gpp', most: 16 * MB },
  voice: { label: 'Voice note', icon: '🎤', accept: 'audio/ogg,.ogg,.opus', most: 16 * MB, type: 'audio/ogg; codecs=opus' },
  audio: { label: 'Audio', icon: '🎵', accept: 'audio/*', most: 16 * MB },
  document: { label: 'Document', icon: '📄', accept: '', most: 100 * MB },
  sticker: { label: 'Sticker', icon: '😊', accept: 'image/webp', most: 0.5 * MB },
};

function Composer({ customer, replyTo, onCancelReply, onText, onFile, onShare, onUse, disabled }) {
  const [text, setText] = useState('');
  const [records, setRecords] = useState(false);
  const [open, setOpen] = useState(null);
  const box = useRef(null);
  const file = useRef(null);
  const kind = useRef(null);
  useEffect(() => { if (replyTo) box.current.focus(); }, [replyTo]);

  function send(event) {
    if (event) event.preventDefault();
    if (!text.trim()) return;
    onText(text).then((sent) => sent || setText((now) => now || text));
    setText('');
    setOpen(null);
    box.current.focus();
  }
  function onKeyDown(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  }
  function insert(emoji) {
    const { selectionStart: start, selectionEnd: end } = box.current;
    setText(text.slice(0, start) + emoji + text.slice(end));
    box.current.focus();
  }
  function choose(name) {
    kind.current = name;
    file.current.accept = FILES[name].accept;
    file.current.click();
  }
  function chosen() {
    const [picked] = file.current.files;
    if (picked) onFile(kind.current, picked, text.trim()).then((sent) => sent && setText(''));
    file.current.value = '';
    setOpen(null);
  }
  function endRecording() {
    setRecords(false);
    setTimeout(() => box.current && box.current.focus()); // after the input field is drawn again
  }
  // A browser that cannot record Opus sends its recording as an audio file.
  const onVoice = (blob) => onFile(blob.type.startsWith('audio/ogg') ? 'voice' : 'audio', blob);
  const toggle = (name) => () => setOpen(open === name ? null : name);
  return html`<form class="composer" onSubmit=${send} aria-label=${`Write as ${customer}`}>
    ${replyTo && html`<div class="replying"><span>Reply to: ${excerpt(replyTo)}</span>
      <button type="button" class="icon" aria-label="Do not quote" onClick=${onCancelReply}>✕</button></div>`}
    ${open === 'emoji' && html`<div class="picker emoji" role="group" aria-label="Emoji">${EMOJI.map((emoji) => html`
      <button type="button" onClick=${() => insert(emoji)}>${emoji}</button>`)}</div>`}
    ${open === 'attach' && html`<div class="picker" role="group" aria-label="Attach">
      ${Object.entries(FILES).map(([name, { label, icon }]) => html`<button type="button" onClick=${() => choose(name)}>
        <span aria-hidden="true">${icon}</span> ${label}</button>`)}
      <button type="button" onClick=${() => onShare('location')}><span aria-hidden="true">📍</span> Location</button>
      <button type="button" onClick=${() => onShare('contact')}><span aria-hidden="true">👤</span> Contact</button></div>`}
    ${records ? html`<${Recording} onClose=${endRecording} onDone=${onVoice} />` : html`<div class="line">
      <button type="button" class="icon" aria-label="Attach" aria-expanded=${open === 'attach'} onClick=${toggle('attach')}>📎</button>
      <button type="button" class="icon" aria-label="Emoji" aria-expanded=${open === 'emoji'} onClick=${toggle('emoji')}>🙂</button>
      <button type="button" class="icon" aria-label="Record a voice note" title="Record a voice note" disabled=${disabled}
        onClick=${() => { setOpen(null); setRecords(true); }}>🎤</button>
      <textarea ref=${box} rows="1" aria-label="Message" placeholder=${`Write as ${customer}`} value=${text} dir="auto" disabled=${disabled}
        onFocus=${onUse} onInput=${(event) => setText(event.target.value)} onKeyDown=${onKeyDown}></textarea>
      <button class="icon primary" aria-label="Send" title="Send" disabled=${disabled}>➤</button>
    </div>`}
    <input type="file" ref=${file} hidden tabindex="-1" aria-hidden="true" onChange=${chosen} /></form>`;
}

// ---- The customer's settings --------------------------------------------------------------------

function Settings({ customer, contact, gateway, onClose, onChange }) {
  const cloud = gateway.kind === 'cloud';
  const blocks = contact && contact.status === 'failed';
  return html`<${Dialog} title=${`Settings of ${customer.name}`} onClose=${onClose}>
    <label>Name<input value=${customer.name} onChange=${(event) => onChange({ name: event.target.value })} /></label>
    <p>Phone number ${phone(customer.wa_id)}${contact && contact.user_id && html`<br />User id ${contact.user_id}`}</p>
    <label class="check"><input type="checkbox" checked=${!!customer.hidden} disabled=${!cloud}
      onChange=${(event) => onChange({ hidden: event.target.checked })} /> Hide the phone number from the business
      ${!cloud && ' (Cloud hosting only)'}</label>
    <label class="check"><input type="checkbox" checked=${!!blocks}
      onChange=${(event) => onChange({ status: event.target.checked ? 'failed' : 'valid' })} /> Block the business:
      what it writes fails</label>
    <button type="button" onClick=${() => onChange({ identity: true })}>Change the phone (new identity)</button>
  <//>`;
}

// ---- The phone ----------------------------------------------------------------------------------

export function Phone({ gateway, customer, selected, onSelect, onClose, onUse, closable, disabled }) {
  const [dialog, setDialog] = useState(null);
  const [replyTo, setReplyTo] = useState(null);
  const [reactTo, setReactTo] = useState(null);
  const data = dataOf(gateway.name);
  const entries = conversationOf(data, customer.wa_id);
  const contact = list(gateway.contacts).find((one) => one.wa_id === customer.wa_id);
  const close = () => setDialog(null);
  const about = { name: customer.name, user_id: customer.user_id, username: customer.username,
    hidden: customer.hidden || undefined };

  async function customerSends(type, content, options) {
    const reply = replyTo && { reply_to: replyTo.id };
    setReplyTo(null);
    return call(gateway.name, 'customer', { from: customer.wa_id, type, content, options: { ...about, ...reply, ...options } });
  }
  async function sendFile(kind, file, caption) {
    const { label, most, type } = FILES[kind];
    if (file.size > most) {
      report(`${file.name || 'The recording'} has ${bytes(file.size)}: WhatsApp takes at most ${bytes(most)} for “${label}”.`);
      return null;
    }
    const mime = type || file.type || 'application/octet-stream';
    const id = await upload(gateway.name, file, mime);
    if (!id) return null;
    const hasCaption = kind === 'image' || kind === 'video' || kind === 'document';
    return customerSends(kind, { media_id: id, type: mime, filename: kind === 'document' ? file.name : undefined,
      caption: (hasCaption && caption) || undefined });
  }
  function act(name, message, value) {
    const reply = { reply_to: message.id };
    if (name === 'tap') {
      call(gateway.name, 'tap', { from: customer.wa_id, id: message.id, choice: value, options: about });
    } else if (name === 'list' || name === 'flow' || name === 'location' || name === 'contact') setDialog({ name, message });
    else if (name === 'permission') customerSends('reply', { kind: 'call_permission', data: value }, reply);
    else if (name === 'catalog') report('The emulator has no pictures of a catalogue. Use “Order” where products are shown.');
    else customerSends(name, value, reply); // `name` is reply, button or order
  }
  function react(emoji) {
    const message = reactTo;
    setReactTo(null);
    customerSends('reaction', { message_id: message.id, emoji });
  }
  async function change({ name, hidden, status, identity }) {
    if (name !== undefined || status) {
      await call(gateway.name, 'contact', { number: customer.wa_id, about: { name: name || undefined, status } });
    }
    if (hidden !== undefined) {
      // A customer without a number has a user id.
      const userId = customer.user_id || 'DE.' + customer.wa_id.split('').reverse().join('').padEnd(16, '7');
      if (hidden) await call(gateway.name, 'contact', { number: customer.wa_id, about: { user_id: userId, name: customer.name } });
      await call(gateway.name, 'traffic', { method: 'hide_number', number: customer.wa_id, hidden });
    }
    if (identity) {
      const changed = await call(gateway.name, 'change_identity', { number: customer.wa_id });
      if (changed) {
        customerSends('system', { type: 'user_identity_changed', identity: changed.hash, user: changed.wa_id,
          body: `The identity of ${customer.name} has changed` });
      }
    }
  }

  const context = { gateway, customer: customer.name, act: disabled ? undefined : act };
  const typedAt = data.typing.get(customer.wa_id);
  const typing = typedAt && Date.now() - typedAt < TYPING;
  const windowLeft = contact && contact.last_inbound ? contact.last_inbound + 86400 - now() : null;
  const isClosed = gateway.window && !(windowLeft > 0);
  const business = gateway.verified_name || 'Business';
  const shareDone = (type) => (content) => {
    const { message } = dialog;
    close();
    customerSends(type, content, message && { reply_to: message.id });
  };
  // Without this button, the Tab key would select all buttons of the conversation before the input field.
  const skip = (event) => event.target.closest('.phone').querySelector('textarea').focus();
  return html`<section class="phone" aria-label=${`Phone of ${customer.name}`}>
    <button type="button" class="skip" onClick=${skip}>Write as ${customer.name}</button>
    <header class="owner"><span><strong>${customer.name}</strong> ${customer.hidden ? 'number hidden'
      : customer.name === phone(customer.wa_id) ? '' : phone(customer.wa_id)}
      ${contact && contact.blocked && html`<em> blocked by the bot</em>`}
      ${contact && contact.status === 'failed' && html`<em> blocks the bot</em>`}</span>
      <button type="button" class="icon" aria-label=${`Settings of ${customer.name}`} title="Settings of the customer" onClick=${() => setDialog({ name: 'settings' })}>⚙</button>
      ${closable && html`<button type="button" class="icon" aria-label=${`Hide the phone of ${customer.name}`}
        title="Hide this phone; the customer and the conversation stay" onClick=${onClose}>✕</button>`}
    </header>
    <div class="screen">
      <div class="chat-head"><span class="avatar" aria-hidden="true">${business[0]}</span>
        <span>${business}<small>${typing ? 'typing…' : phone(gateway.number)}</small></span></div>
      <${Conversation} entries=${entries} customer=${customer.name} typing=${typing} render=${(entry) => html`<${Bubble}
        key=${entry.key} entry=${entry} data=${data} context=${context} contact=${contact} selected=${selected === entry.key}
        onSelect=${() => onSelect(entry)} onDetails=${(event) => { event.stopPropagation(); onSelect(entry, true); }}
        onReply=${(event) => { event.stopPropagation(); setReplyTo(entry.message); }}
        onReact=${(event) => { event.stopPropagation(); setReactTo(entry.message); }} />`} />
      ${isClosed && html`<p class="window">${windowLeft === null ? 'This customer has not written yet' : 'The last text of this customer is older than 24 hours'}:
        the bot may write templates only.</p>`}
      <${Composer} customer=${customer.name} replyTo=${replyTo} onCancelReply=${() => setReplyTo(null)} disabled=${disabled} onUse=${onUse}
        onText=${(body) => customerSends('text', { body })} onFile=${sendFile} onShare=${(name) => setDialog({ name })} />
    </div>
    ${dialog && dialog.name === 'settings' && html`<${Settings} customer=${customer} contact=${contact} gateway=${gateway}
      onClose=${close} onChange=${change} />`}
    ${dialog && dialog.name === 'list' && html`<${ListDialog} message=${dialog.message} onClose=${close}
      onDone=${(id) => { close(); act('tap', dialog.message, id); }} />`}
    ${dialog && dialog.name === 'flow' && html`<${FlowDialog} message=${dialog.message} onClose=${close} onDone=${shareDone('reply')} />`}
    ${dialog && dialog.name === 'location' && html`<${LocationDialog} onClose=${close} onDone=${shareDone('location')} />`}
    ${dialog && dialog.name === 'contact' && html`<${ContactDialog} onClose=${close} onDone=${shareDone('contacts')} />`}
    ${reactTo && html`<${Dialog} title="React" onClose=${() => setReactTo(null)}><div class="picker emoji">${EMOJI.map((emoji) => html`
      <button type="button" onClick=${() => react(emoji)}>${emoji}</button>`)}
      <button type="button" onClick=${() => react('')}>Remove</button></div><//>`}
  </section>`;
}
