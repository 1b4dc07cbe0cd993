// Shows texts, times, numbers and JSON. Texts become text nodes, never HTML.

import { html } from './vendor/preact-htm.js';

// ---- WhatsApp's markup --------------------------------------------------------------------------

const MARKS = { '*': 'strong', _: 'em', '~': 's', '`': 'code' };
const INLINE = /(```[\s\S]+?```)|(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'])|([*_~`])(?=\S)([^\n]*?\S)\3(?![\p{L}\p{N}])/gu;

function inline(text, depth = 0) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    const [all, block, link, mark, inner] = found;
    // A mark within a word is a plain character.
    if (mark && found.index > 0 && /[\p{L}\p{N}]/u.test(text[found.index - 1])) continue;
    if (found.index < from) continue;
    if (found.index > from) parts.push(text.slice(from, found.index));
    if (block) parts.push(html`<code class="block">${block.slice(3, -3)}</code>`);
    else if (link) parts.push(html`<a href=${link} target="_blank" rel="noopener noreferrer">${link}</a>`);
    else {
      const Mark = MARKS[mark];
      parts.push(html`<${Mark}>${mark === '`' || depth > 3 ? inner : inline(inner, depth + 1)}<//>`);
    }
    from = found.index + all.length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

function isBlock(line) { return /^(> |[*-] |\d{1,2}\. )/.test(line); }

// A text with its markup: bold, italic, struck through, code, quotes and lists.
export function markup(text) {
  return String(text ?? '').split(/(```[\s\S]+?```)/).map((part) => (part.startsWith('```') ? inline(part) : lines(part)));
}

function lines(text) {
  if (!text.split('\n').some(isBlock)) return inline(text);
  return text.split('\n').map((line, i, all) => {
    const end = i < all.length - 1 && !isBlock(line) && !isBlock(all[i + 1]) ? '\n' : '';
    if (line.startsWith('> ')) return html`<span class="quote">${inline(line.slice(2))}</span>`;
    if (/^[*-] /.test(line)) return html`<span class="item">• ${inline(line.slice(2))}</span>`;
    const number = line.match(/^(\d{1,2}\.) (.*)$/);
    if (number) return html`<span class="item">${number[1]} ${inline(number[2])}</span>`;
    return html`<span>${inline(line)}${end}</span>`;
  });
}

// Returns whether a text consists of one to three emoji, which WhatsApp shows larger.
export function isEmojiOnly(text) {
  return text.length < 40 && /^(\p{Extended_Pictographic}[\p{M}\u200d\ufe0f\p{Emoji_Modifier}]*){1,3}$/u.test(text.trim());
}

// ---- Times and numbers --------------------------------------------------------------------------

const date = (seconds) => new Date(seconds * 1000);
export const clock = (seconds) => date(seconds).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
export const exactClock = (seconds) => date(seconds).toLocaleTimeString([], { hour12: false });
export const day = (seconds) => date(seconds).toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' });

export function duration(seconds) {
  if (typeof seconds !== 'number') return '';
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

export function bytes(size) {
  if (size >= 1048576) return (size / 1048576).toFixed(size < 10485760 ? 1 : 0) + ' MB';
  return size >= 1024 ? Math.round(size / 1024) + ' KB' : size + ' bytes';
}

export const phone = (waId) => (/^\d+$/.test(waId) ? '+' + waId.replace(/^(\d{2})(\d{3})(\d+)$/, '$1 $2 $3') : waId);

// ---- JSON ---------------------------------------------------------------------------------------

function walk(value, path, indent, before, after, lines) {
  const pad = '  '.repeat(indent);
  if (value === null || typeof value !== 'object') {
    lines.push({ path, text: pad + before + JSON.stringify(value) + after });
    return;
  }
  const isList = Array.isArray(value);
  const [open, close] = isList ? '[]' : '{}';
  const keys = Object.keys(value);
  if (!keys.length) {
    lines.push({ path, text: pad + before + open + close + after });
    return;
  }
  lines.push({ path, text: pad + before + open });
  keys.forEach((key, i) => {
    const inner = isList ? `${path}[${key}]` : path ? `${path}.${key}` : key;
    walk(value[key], inner, indent + 1, isList ? '' : JSON.stringify(key) + ': ', i < keys.length - 1 ? ',' : '', lines);
  });
  lines.push({ path, text: pad + close + after });
}

// Returns the field in an error text such as "Parameter 'text.body': …" or "text.body must …".
export function fieldOf(details) {
  const found = /['"`(]([a-z_]+(?:(?:\.[a-z_0-9]+)|(?:\[\d+\]))*)['"`)]/.exec(details || '')
    || /(?:^|\s)([a-z_]+(?:(?:\.[a-z_0-9]+)|(?:\[\d+\]))+)/.exec(details || '');
  return found ? found[1] : null;
}

// Returns whether `path` is the path of the field. `field` may begin inside the message's content.
function isField(path, field) {
  return field && (path === field || path.endsWith('.' + field));
}

export function Json({ text, field, label }) {
  let value = text;
  try {
    value = JSON.parse(text);
  } catch {
    return html`<pre class="json" tabindex="0" aria-label=${label}>${String(text)}</pre>`;
  }
  const lines = [];
  walk(value, '', 0, '', '', lines);
  let marked = field;
  while (marked && !lines.some((line) => isField(line.path, marked))) {
    marked = marked.includes('.') || marked.includes('[') ? marked.replace(/(\.[^.[]*|\[\d+\])$/, '') : null;
  }
  return html`<pre class="json" tabindex="0" aria-label=${label}>${lines.map((line) => isField(line.path, marked)
    ? html`<mark title="The field that the error names">${line.text}</mark>${'\n'}` : line.text + '\n')}</pre>`;
}
