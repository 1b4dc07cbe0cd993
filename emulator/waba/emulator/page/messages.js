// Shows each type of message on a customer's phone.

import { html, useState } from './vendor/preact-htm.js';
import { list, mediaUrl } from './connection.js';
import { isEmojiOnly, markup } from './formats.js';

// Only http and https links can be followed.
const webAddress = (url) => (/^https?:\/\//i.test(url || '') ? url : undefined);

function Link({ url, class: name, children }) {
  return html`<a class=${name} href=${webAddress(url)} target="_blank" rel="noopener noreferrer" title=${url}>${children}</a>`;
}

// ---- Media --------------------------------------------------------------------------------------

const ICONS = { image: '🖼', sticker: '🖼', video: '🎬', audio: '🎵', voice: '🎤', document: '📄' };

function sourceOf(media, context) {
  return media.id ? mediaUrl(context.gateway.name, media.id) : webAddress(media.link);
}

function Placeholder({ kind, media, children }) {
  return html`<div class="placeholder"><span aria-hidden="true">${ICONS[kind]}</span>
    <span>${children || media.filename || kind}${media.link && html`<small>${media.link}</small>`}</span></div>`;
}

function Picture({ kind, media, context }) {
  const [failed, setFailed] = useState(false);
  const source = sourceOf(media, context);
  if (failed || !source) {
    return html`<${Placeholder} kind=${kind} media=${media}>${kind === 'sticker' ? 'Sticker' : 'Picture'} (cannot be loaded)<//>`;
  }
  return html`<img class=${kind} src=${source} alt=${media.caption || (kind === 'sticker' ? 'Sticker' : 'Picture')}
    loading="lazy" referrerpolicy="no-referrer" onError=${() => setFailed(true)} />`;
}

function Video({ kind, media, context }) {
  const [failed, setFailed] = useState(false);
  const source = sourceOf(media, context);
  if (failed || !source) return html`<${Placeholder} kind=${kind} media=${media}>Video (cannot be loaded)<//>`;
  return html`<video controls preload="metadata" src=${source} onError=${() => setFailed(true)}></video>`;
}

function Audio({ kind, media, context }) {
  const [failed, setFailed] = useState(false);
  const source = sourceOf(media, context);
  const title = media.voice || kind === 'voice' ? '🎤 Voice note' : '🎵 Audio';
  return html`<div class="audio"><span>${title}${failed && ' (cannot be loaded)'}</span>
    ${source && !failed && html`<audio controls preload="metadata" src=${source} onError=${() => setFailed(true)}></audio>`}
    ${failed && media.link && html`<small>${media.link}</small>`}</div>`;
}

function Document({ media, context }) {
  const source = sourceOf(media, context);
  return html`<a class="placeholder" href=${source} download=${media.filename || true} target="_blank" rel="noopener noreferrer">
    <span aria-hidden="true">📄</span><span>${media.filename || 'Document'}${media.link && html`<small>${media.link}</small>`}</span></a>`;
}

const MEDIA = { image: Picture, sticker: Picture, video: Video, audio: Audio, voice: Audio, document: Document };

export function Media({ kind, media, context }) {
  const View = MEDIA[kind];
  return html`<${View} kind=${kind} media=${media || {}} context=${context} />
    ${media && media.caption && html`<p class="text">${markup(media.caption)}</p>`}`;
}

// ---- Parts of interactive messages and templates --------------------------------------------------

function Header({ header, context }) {
  if (!header) return null;
  if (header.type === 'text') return html`<p class="head">${header.text}</p>`;
  if (header.type === 'location') return html`<${Location} place=${header.location} />`;
  if (MEDIA[header.type]) return html`<${Media} kind=${header.type} media=${header[header.type]} context=${context} />`;
  return null;
}

const text = (part) => (part && typeof part === 'object' ? part.text : part);

function Parts({ content, context }) {
  return html`<${Header} header=${content.header} context=${context} />
    ${text(content.body) && html`<p class="text">${markup(text(content.body))}</p>`}
    ${text(content.footer) && html`<p class="foot">${text(content.footer)}</p>`}`;
}

function Tap({ onTap, icon, children, disabled }) {
  return html`<button type="button" class="tap" onClick=${onTap} disabled=${disabled}>
    ${icon && html`<span aria-hidden="true">${icon} </span>`}${children}</button>`;
}

function LinkTap({ url, children }) {
  return html`<${Link} class="tap" url=${url}><span aria-hidden="true">↗ </span>${children}<//>`;
}

// ---- Interactive messages -------------------------------------------------------------------------

function Products({ content, context, message }) {
  const sections = list(content.action && content.action.sections);
  const items = sections.flatMap((section) => list(section.product_items).map((item) => item.product_retailer_id));
  const single = content.action && content.action.product_retailer_id;
  const catalog = content.action && content.action.catalog_id;
  const order = (product) => context.act('order', message, { catalog_id: catalog, text: '',
    product_items: [{ product_retailer_id: product, quantity: 1, item_price: 1, currency: 'EUR' }] });
  return html`<div class="products">
    ${(single ? [single] : items).map((product) => html`<div class="product"><span aria-hidden="true">🛍</span>
      <span>${product}<small>Catalogue ${catalog}</small></span>
      <button type="button" onClick=${() => order(product)} disabled=${!context.act}>Order</button></div>`)}</div>`;
}

const act = (context, name, message, value) => context.act && (() => context.act(name, message, value));

function actionsOf(content, message, context) {
  const action = content.action || {};
  const parameters = action.parameters || {};
  const off = !context.act;
  switch (content.type) {
    case 'button':
      return list(action.buttons).map(({ reply }) => html`<${Tap} icon="↩" disabled=${off}
        onTap=${act(context, 'tap', message, reply.id)}>${reply.title}<//>`);
    case 'list':
      return html`<${Tap} icon="☰" disabled=${off} onTap=${act(context, 'list', message)}>${action.button}<//>`;
    case 'cta_url':
      return html`<${LinkTap} url=${parameters.url}>${parameters.display_text}<//>`;
    case 'flow':
      return html`<${Tap} icon="▤" disabled=${off} onTap=${act(context, 'flow', message)}>${parameters.flow_cta}<//>`;
    case 'location_request_message':
      return html`<${Tap} icon="📍" disabled=${off} onTap=${act(context, 'location', message)}>Share location<//>`;
    case 'call_permission_request':
      return ['accept', 'reject'].map((response) => html`<${Tap} disabled=${off} onTap=${act(context, 'permission', message,
        { response, response_source: 'user_action' })}>${response === 'accept' ? 'Allow calls' : 'Do not allow calls'}<//>`);
    case 'address_message':
      return html`<${Tap} icon="🏠" disabled=${off} onTap=${act(context, 'flow', message)}>Give address<//>`;
    case 'catalog_message':
      return html`<${Tap} icon="🛍" disabled=${off} onTap=${act(context, 'catalog', message)}>View catalogue<//>`;
    case 'voice_call':
      return html`<${Tap} icon="📞" disabled=${true}>${parameters.display_text || 'Call'}<//>`;
    case 'request_contact_info':
      return html`<${Tap} icon="👤" disabled=${off} onTap=${act(context, 'contact', message)}>Share contact<//>`;
    case 'order_details':
      return html`<${Tap} disabled=${true}>Review and pay<//>`;
    default:
      return null;
  }
}

function Card({ card, message, context }) {
  const { action } = card;
  return html`<div class="card"><${Parts} content=${card} context=${context} />
    ${action.name === 'cta_url' && html`<${LinkTap} url=${action.parameters.url}>${action.parameters.display_text}<//>`}
    ${list(action.buttons).map((button) => html`<${Tap} icon="↩" disabled=${!context.act} onTap=${act(context, 'reply', message,
      { kind: 'button', id: button.quick_reply.id, title: button.quick_reply.title })}>${button.quick_reply.title}<//>`)}
    ${action.product_retailer_id && html`<${Products} content=${{ action }} context=${context} message=${message} />`}</div>`;
}

function Carousel({ children }) {
  return html`<div class="carousel" role="group" tabindex="0" aria-label="Cards">${children}</div>`;
}

const REPLIES = { button_reply: 'title', list_reply: 'title' };

function Interactive({ content, message, context }) {
  const reply = content[content.type];
  if (REPLIES[content.type]) {
    return html`<p class="text">${reply.title}</p>${reply.description && html`<p class="foot">${reply.description}</p>`}`;
  } else if (content.type === 'nfm_reply') {
    return html`<p class="text">✓ ${reply.body || 'Form filled in'}</p><p class="foot">${reply.response_json}</p>`;
  } else if (content.type === 'call_permission_reply') {
    return html`<p class="text">${reply && reply.response === 'accept' ? 'Calls are allowed' : 'Calls are not allowed'}</p>`;
  }
  return html`<${Parts} content=${content} context=${context} />
    ${(content.type === 'product' || content.type === 'product_list')
      && html`<${Products} content=${content} context=${context} message=${message} />`}
    ${content.type === 'carousel' && html`<${Carousel}>${list(content.action.cards).map((card) => html`<${Card}
      card=${card} message=${message} context=${context} />`)}<//>`}
    <div class="taps">${actionsOf(content, message, context)}</div>`;
}

// ---- Templates ------------------------------------------------------------------------------------

const lower = (value) => String(value || '').toLowerCase();

function partsOf(components) {
  const parts = { buttons: {} };
  for (const component of list(components)) {
    const type = lower(component.type);
    if (type === 'button') parts.buttons[Number(component.index)] = component;
    else if (type === 'buttons') list(component.buttons).forEach((button, i) => { parts.buttons[i] = button; });
    else parts[type] = component;
  }
  return parts;
}

function shown(parameter) {
  const value = parameter[parameter.type];
  return (value && typeof value === 'object' ? value.fallback_value : value) ?? '';
}

// Returns a text with values instead of placeholders: {{1}} by position, {{name}} by name.
function hydrate(pattern, parameters) {
  let next = 0;
  return String(pattern || '').replace(/{{\s*(\w+)\s*}}/g, (all, name) => {
    const parameter = parameters.find((one) => one.parameter_name === name)
      || parameters[/^\d+$/.test(name) ? Number(name) - 1 : next++];
    return parameter ? shown(parameter) : all;
  });
}

function templateHeader(known, given) {
  const parameters = list(given && given.parameters);
  if (known && lower(known.format) === 'text') return { type: 'text', text: hydrate(known.text, parameters) };
  const [parameter] = parameters;
  if (parameter) return parameter.type === 'text' ? { type: 'text', text: parameter.text } : parameter;
  if (known && MEDIA[lower(known.format)]) return { type: lower(known.format), [lower(known.format)]: {} };
  return null;
}

function TemplateButton({ known, given, message, context }) {
  const type = lower((known && known.type) || (given && given.sub_type));
  const [parameter] = list(given && given.parameters);
  const label = (known && known.text) || (parameter && parameter.payload) || type.replace(/_/g, ' ');
  const off = !context.act;
  if (type === 'quick_reply') {
    return html`<${Tap} icon="↩" disabled=${off} onTap=${act(context, context.inCard ? 'button' : 'tap', message, context.inCard
      ? { text: label, payload: parameter ? parameter.payload : label } : label)}>${label}<//>`;
  } else if (type === 'url') {
    return html`<${LinkTap} url=${known && known.url ? hydrate(known.url, parameter ? [parameter] : []) : ''}>${label}<//>`;
  } else if (type === 'flow') {
    return html`<${Tap} icon="▤" disabled=${off} onTap=${act(context, 'flow', message)}>${label}<//>`;
  } else if (type === 'copy_code' || type === 'otp') {
    const code = parameter && (parameter.coupon_code || parameter.text);
    return html`<${Tap} icon="⧉" onTap=${() => navigator.clipboard && navigator.clipboard.writeText(code || '')}>${
      (known && known.text) || 'Copy code'}<//>`;
  } else if (type === 'catalog' || type === 'mpm') {
    return html`<${Tap} icon="🛍" disabled=${off} onTap=${act(context, 'catalog', message)}>${label}<//>`;
  }
  return html`<${Tap} icon=${type.includes('call') || type === 'phone_number' ? '📞' : ''} disabled=${true}>${label}<//>`;
}

function TemplateParts({ known, given, message, context }) {
  const definition = partsOf(known);
  const parts = partsOf(given);
  const parameters = list(parts.body && parts.body.parameters);
  const body = definition.body ? hydrate(definition.body.text, parameters) : parameters.map(shown).join(', ');
  const indexes = Object.keys({ ...definition.buttons, ...parts.buttons });
  const cards = list(parts.carousel && parts.carousel.cards);
  return html`<${Header} header=${templateHeader(definition.header, parts.header)} context=${context} />
    ${body && html`<p class="text">${markup(body)}</p>`}
    ${definition.footer && html`<p class="foot">${definition.footer.text}</p>`}
    ${cards.length > 0 && html`<${Carousel}>${cards.map((card, i) => html`<div class="card"><${TemplateParts}
      known=${((list(definition.carousel && definition.carousel.cards)[i]) || {}).components} given=${card.components}
      message=${message} context=${{ ...context, inCard: true }} /></div>`)}<//>`}
    <div class="taps">${indexes.map((i) => html`<${TemplateButton} known=${definition.buttons[i]} given=${parts.buttons[i]}
      message=${message} context=${context} />`)}</div>`;
}

function Template({ content, message, context }) {
  const code = content.language && content.language.code;
  const known = list(context.gateway.templates).find((one) => one.name === content.name && one.language === code);
  return html`<p class="kind">Template ${content.name}, ${code}${!known && ': its text is not known here, so its values are shown'}</p>
    <${TemplateParts} known=${known && known.components} given=${content.components} message=${message} context=${context} />`;
}

// ---- Other types ----------------------------------------------------------------------------------

function Location({ place }) {
  const where = `${place.latitude}, ${place.longitude}`;
  return html`<div class="placeholder"><span aria-hidden="true">📍</span><span>${place.name || 'Location'}
    <small>${place.address || where}</small>${place.address && html`<small>${where}</small>`}</span></div>`;
}

function Contacts({ contacts }) {
  return list(contacts).map((contact) => html`<div class="placeholder"><span aria-hidden="true">👤</span>
    <span>${contact.name && contact.name.formatted_name}${list(contact.phones).map((phone) => html`<small>${phone.phone
      || phone.wa_id}</small>`)}</span></div>`);
}

function Order({ order }) {
  return html`<p class="text">🛒 Order</p>${list(order.product_items).map((item) => html`<p class="foot">${
    `${item.quantity} × ${item.product_retailer_id}`}</p>`)}`;
}

function Unknown({ type, content }) {
  return html`<p class="kind">${type}</p>${content !== undefined && html`<pre class="json">${JSON.stringify(content, null, 2)}</pre>`}`;
}

function Text({ body }) {
  return html`<p class=${isEmojiOnly(body) ? 'text large' : 'text'}>${markup(body)}</p>`;
}

// The content of a message. `context` has the gateway and the function `act`; without `act`, nothing can be tapped.
export function Content({ message, context }) {
  const { type, content } = message;
  if (type === 'text' && content) return html`<${Text} body=${String(content.body ?? '')} />`;
  if (MEDIA[type] && content) return html`<${Media} kind=${type} media=${content} context=${context} />`;
  if (type === 'interactive' && content) return html`<${Interactive} content=${content} message=${message} context=${context} />`;
  if (type === 'template' && content) return html`<${Template} content=${content} message=${message} context=${context} />`;
  if (type === 'location' && content) return html`<${Location} place=${content} />`;
  if (type === 'contacts') return html`<${Contacts} contacts=${content} />`;
  if (type === 'button' && content) return html`<p class="text">${content.text}</p>`;
  if (type === 'order' && content) return html`<${Order} order=${content} />`;
  if (type === 'system' && content) return html`<p class="kind">${content.body}</p>`;
  if (type === 'unsupported' || type === 'unknown' || type === 'ephemeral') {
    return html`<p class="kind">Something that WhatsApp cannot pass on to the business</p>`;
  }
  if (type === 'reaction' && content) return html`<p class="kind">Reaction ${content.emoji || '(removed)'}</p>`;
  return html`<${Unknown} type=${type || 'A message without a type'} content=${content} />`;
}

// Returns one line about a message, for the quote of a reply.
export function excerpt(message) {
  const content = message.content || {};
  const words = content.body && typeof content.body === 'object' ? content.body.text : content.body;
  const reply = content.button_reply || content.list_reply;
  return String(words || content.caption || content.filename || (reply && reply.title) || content.text || content.name
    || message.type).slice(0, 120);
}
