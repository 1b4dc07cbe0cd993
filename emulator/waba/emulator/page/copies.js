// A message as text to paste: Lua, curl, or a test.

import { digits } from './connection.js';
import { excerpt } from './messages.js';

const WORDS = new Set(['and', 'break', 'do', 'else', 'elseif', 'end', 'false', 'for', 'function', 'goto', 'if', 'in', 'local',
  'nil', 'not', 'or', 'repeat', 'return', 'then', 'true', 'until', 'while']);

function luaString(text) {
  return '"' + text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')
    .replace(/[\x00-\x1f\x7f]/g, (character) => '\\' + String(character.charCodeAt(0)).padStart(3, '0')) + '"';
}

export function lua(value, indent = '') {
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'string') return luaString(value);
  if (typeof value !== 'object') return String(value);
  const inner = indent + '  ';
  const rows = Array.isArray(value) ? value.map((one) => lua(one, inner))
    : Object.entries(value).map(([key, one]) => (/^[A-Za-z_]\w*$/.test(key) && !WORDS.has(key) ? key : `[${luaString(key)}]`)
      + ' = ' + lua(one, inner));
  const line = `{ ${rows.join(', ')} }`;
  if (!rows.length) return '{}';
  return indent.length + line.length < 90 && !line.includes('\n') ? line : `{\n${rows.map((row) => inner + row).join(',\n')},\n${indent}}`;
}

function built(type, content, indent) {
  if (type === 'text') {
    return Object.keys(content).length === 1 ? `waba.text ${luaString(content.body)}` : `waba.text ${lua(content, indent)}`;
  }
  return `waba.message(${luaString(type)}, ${lua(content, indent)})`;
}

function customer(message, gateway, contact) {
  const about = contact && contact.name ? `, { name = ${luaString(contact.name)} }` : '';
  return `emulator${gateway.kind === 'cloud' ? '.cloud' : ''}:customer(${luaString(message.wa_id)}${about})`;
}

function sentByCustomer(message) {
  if (message.type === 'text') return `:text ${luaString(message.content.body)}`;
  return `:message(${luaString(message.type)}, ${lua(message.content)})`;
}

export function asLua(message, gateway, contact) {
  if (message.direction === 'inbound') return `assert(${customer(message, gateway, contact)}${sentByCustomer(message)})\n`;
  const options = message.reply_to ? `, { reply_to = ${luaString(message.reply_to)} }` : '';
  return `local waba = require "waba"\n\nlocal client = waba.client {} -- D360_API_KEY, WABA_HOSTING, WABA_BASE_URL\n`
    + `assert(client:send(${luaString(message.to || message.wa_id)}, ${built(message.type, message.content || {}, '')}${options}))\n`;
}

const quote = (text) => `'${text.replace(/'/g, `'\\''`)}'`;

// `request` is the request of a sent message, `attempt` the webhook of a customer's message; at most one is set.
export function asCurl(request, attempt, gateway, caFile) {
  if (request) {
    return `curl ${quote(gateway.url + request.path)} ${caFile ? `--cacert ${quote(caFile)} ` : ''}\\\n`
      + `  -X ${request.method} -H "D360-API-KEY: $D360_API_KEY" -H 'Content-Type: application/json' \\\n`
      + `  --data-binary ${quote(request.body || '')}\n`;
  }
  if (attempt) {
    return `curl ${quote(attempt.url)} -X POST -H 'Content-Type: application/json' \\\n  -u "user:$WEBHOOK_PASSWORD" \\\n`
      + `  --data-binary ${quote(attempt.body || '')}\n`;
  }
  return '# There was no request and no webhook for this message.\n';
}

// `asked` is the customer's message before the sent message `message`; undefined if the customer has sent no message before it.
export function asSpec(message, asked, gateway, contact) {
  const handle = `emulator${gateway.kind === 'cloud' ? '.cloud' : ''}`;
  const inbound = message.direction === 'inbound' ? message : asked;
  const title = message.direction === 'inbound' ? `accepts ${excerpt(message)}` : `answers with ${excerpt(message)}`;
  const lines = [`it(${luaString(title)}, function()`];
  if (inbound) lines.push(`  assert(${customer(inbound, gateway, contact)}${sentByCustomer(inbound)})`);
  if (message.direction === 'outbound') {
    lines.push(`  local sent = assert(emulator:wait(function()`,
      `    return ${handle}:messages { direction = "outbound", wa_id = ${luaString(digits(message.wa_id))} }[1]`, `  end))`,
      `  assert.equal(${luaString(message.type)}, sent.type)`,
      `  assert.same(${lua(message.content, '  ')}, sent.content)`);
  } else {
    lines.push(`  assert(emulator:wait(function() return ${handle}:counts().pending == 0 end))`);
  }
  return lines.join('\n') + '\nend)\n';
}
