// The dialogs of a phone: a list, a form, a location, a contact. Each calls `onDone` with the selected values.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { list } from './connection.js';

export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    const { current } = dialog;
    if (!current.open) current.showModal();
    return () => current.close(); // the browser returns the focus to the previous element
  }, []);
  return html`<dialog ref=${dialog} aria-label=${title} onClose=${onClose}
      onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
    <div class="dialog"><header><h2>${title}</h2>
      <button type="button" class="icon" aria-label="Close" onClick=${() => dialog.current.close()}>✕</button></header>
    ${children}</div></dialog>`;
}

export function ListDialog({ message, onDone, onClose }) {
  const { action } = message.content;
  return html`<${Dialog} title=${action.button} onClose=${onClose}>${list(action.sections).map((section) => html`
    ${section.title && html`<h3>${section.title}</h3>`}
    <div class="rows">${list(section.rows).map((row) => html`<button type="button" onClick=${() => onDone(row.id)}>
      <span>${row.title}${row.description && html`<small>${row.description}</small>`}</span></button>`)}</div>`)}<//>`;
}

// A form with rows of { name, label, value, kind }.
export function FormDialog({ title, rows, action, note, onDone, onClose }) {
  const [error, setError] = useState(null);
  function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    const problem = onDone(values);
    if (problem) setError(problem);
  }
  return html`<${Dialog} title=${title} onClose=${onClose}><form onSubmit=${submit}>
    ${note && html`<p>${note}</p>`}
    ${rows.map((row) => html`<label>${row.label}${row.kind === 'json'
      ? html`<textarea name=${row.name} rows="6" spellcheck=${false}>${row.value}</textarea>`
      : html`<input name=${row.name} value=${row.value} type=${row.kind || 'text'} step="any" required=${row.required !== false} />`}</label>`)}
    ${error && html`<p class="error" role="alert">${error}</p>`}
    <button class="primary">${action}</button></form><//>`;
}

export function FlowDialog({ message, onDone, onClose }) {
  const parameters = (message.content.action && message.content.action.parameters) || {};
  const isAddress = message.content.type === 'address_message';
  const example = isAddress ? { values: { name: 'Eva', in_pin_code: '400063', city: 'Mumbai' } }
    : { flow_token: parameters.flow_token || 'unused' };
  return html`<${FormDialog} title=${isAddress ? 'Address' : parameters.flow_cta || 'Form'} action="Submit" onClose=${onClose}
    note="Only WhatsApp has the screens of a form. Enter the values that the customer's phone would submit."
    rows=${[{ name: 'data', label: 'Submitted values, as JSON', kind: 'json', value: JSON.stringify(example, null, 2) }]}
    onDone=${({ data }) => {
      try {
        onDone({ kind: 'flow', name: isAddress ? 'address_message' : 'flow', body: 'Sent', data: JSON.parse(data) });
      } catch (error) {
        return `The values are not JSON: ${error.message}`;
      }
    }} />`;
}

export function LocationDialog({ onDone, onClose }) {
  return html`<${FormDialog} title="Location" action="Share" onClose=${onClose} rows=${[
    { name: 'latitude', label: 'Latitude', value: '52.5163', kind: 'number' },
    { name: 'longitude', label: 'Longitude', value: '13.3777', kind: 'number' },
    { name: 'name', label: 'Name of the place', value: 'Brandenburg Gate', required: false },
    { name: 'address', label: 'Address', value: 'Pariser Platz, Berlin', required: false }]}
    onDone=${(values) => onDone({ latitude: Number(values.latitude), longitude: Number(values.longitude),
      name: values.name || undefined, address: values.address || undefined })} />`;
}

export function ContactDialog({ onDone, onClose }) {
  return html`<${FormDialog} title="Contact" action="Share" onClose=${onClose} rows=${[
    { name: 'name', label: 'Name', value: 'Ben Sample' }, { name: 'phone', label: 'Phone number', value: '+49 30 5550100' }]}
    onDone=${({ name, phone }) => onDone([{ name: { formatted_name: name, first_name: name.split(' ')[0] },
      phones: [{ phone, type: 'CELL', wa_id: phone.replace(/\D/g, '') }] }])} />`;
}
