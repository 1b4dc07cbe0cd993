// Records the microphone as an Ogg file with Opus, the form of WhatsApp's voice notes. Browsers that record Opus in a
// WebM file only, such as Chromium, need the conversion, which copies the Opus packets from WebM to Ogg.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { report } from './connection.js';

const OGG = 'audio/ogg;codecs=opus';
const WEBM = 'audio/webm;codecs=opus';
const FORMATS = [OGG, WEBM, 'audio/mp4'];
// Bits per second, enough for speech.
const BITS = 32000;

// ---- Reading WebM (RFC 9559) --------------------------------------------------------------------

// Reads a number of variable length. Returns its value and the position after the number. Ids keep their length marker.
function variable(bytes, at, keepsMarker) {
  const length = Math.clz32(bytes[at]) - 23;
  let value = keepsMarker ? bytes[at] : bytes[at] & (0xff >> length);
  for (let i = 1; i < length; i++) value = value * 256 + bytes[at + i];
  return [value, at + length];
}

// Segment, Cluster, Tracks, TrackEntry, BlockGroup contain other elements; their size may be unknown.
const CONTAINERS = new Set([0x18538067, 0x1f43b675, 0x1654ae6b, 0xae, 0xa0]);
const CODEC_PRIVATE = 0x63a2;
const BLOCKS = new Set([0xa3, 0xa1]);

// Returns the header of the Opus stream and its packets.
function readWebm(bytes) {
  const packets = [];
  let head;
  let at = 0;
  while (at < bytes.length) {
    const [id, afterId] = variable(bytes, at, true);
    const [size, start] = variable(bytes, afterId, false);
    at = start;
    if (CONTAINERS.has(id)) continue;
    at += size;
    if (id === CODEC_PRIVATE) head = bytes.slice(start, at);
    // Before the packet are the number of the track, two bytes of time and one byte of flags.
    else if (BLOCKS.has(id)) packets.push(bytes.subarray(variable(bytes, start, false)[1] + 3, at));
  }
  return { head, packets };
}

// ---- Writing Ogg (RFC 3533, RFC 7845) -----------------------------------------------------------

const SUMS = Array.from({ length: 256 }, (_, i) => {
  let sum = i << 24;
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x80000000 ? (sum << 1) ^ 0x04c11db7 : sum << 1;
  return sum;
});

// Returns the number of samples of an Opus packet at 48 kHz (RFC 6716, section 3.1).
function samplesOf(packet) {
  const config = packet[0] >> 3;
  const frame = config < 12 ? [480, 960, 1920, 2880][config & 3] : config < 16 ? [480, 960][config & 1]
    : [120, 240, 480, 960][config & 3];
  return frame * [1, 2, 2, packet[1] & 63][packet[0] & 3];
}

const lacingOf = (packet) => [...new Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255];

// Returns a page. `flags` is 2 for the first page, and 4 for the last page.
function page(packets, flags, samples, number) {
  const lacing = packets.flatMap(lacingOf);
  const bytes = new Uint8Array(27 + lacing.length + packets.reduce((sum, packet) => sum + packet.length, 0));
  const view = new DataView(bytes.buffer);
  bytes.set([0x4f, 0x67, 0x67, 0x53, 0, flags]); // the text "OggS", the version 0, and the flags
  view.setBigUint64(6, BigInt(samples), true);
  view.setUint32(14, 1, true); // the number of the stream
  view.setUint32(18, number, true);
  bytes[26] = lacing.length;
  bytes.set(lacing, 27);
  let at = 27 + lacing.length;
  for (const packet of packets) {
    bytes.set(packet, at);
    at += packet.length;
  }
  view.setInt32(22, bytes.reduce((sum, byte) => (sum << 8) ^ SUMS[(sum >>> 24) ^ byte], 0), true);
  return bytes;
}

const TAGS = new TextEncoder().encode('OpusTags\u0004\0\0\0waba\0\0\0\0');
// The number of packets in a page. A packet has 20 to 60 ms, so a page has 1 to 3 seconds.
const PER_PAGE = 50;

function writeOgg({ head, packets }) {
  const pages = [page([head], 2, 0, 0), page([TAGS], 0, 0, 1)];
  let samples = 0;
  for (let i = 0; i < packets.length;) {
    const some = [];
    let segments = 0;
    while (i < packets.length && some.length < PER_PAGE && segments + lacingOf(packets[i]).length <= 255) {
      segments += lacingOf(packets[i]).length;
      samples += samplesOf(packets[i]);
      some.push(packets[i++]);
    }
    pages.push(page(some, i < packets.length ? 0 : 4, samples, pages.length));
  }
  return new Blob(pages, { type: OGG });
}

// ---- Recording ----------------------------------------------------------------------------------

// Starts to record. In the result, `stop` returns the recorded file, and `end` releases the microphone.
async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const end = () => stream.getTracks().forEach((track) => track.stop());
  try {
    const recorder = new MediaRecorder(stream, { audioBitsPerSecond: BITS,
      mimeType: FORMATS.find((type) => MediaRecorder.isTypeSupported(type)) });
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.start();
    const stop = async () => {
      await new Promise((resolve) => {
        recorder.onstop = resolve;
        recorder.stop();
      });
      const blob = new Blob(parts, { type: recorder.mimeType });
      return blob.type.startsWith('audio/webm') ? writeOgg(readWebm(new Uint8Array(await blob.arrayBuffer()))) : blob;
    };
    return { stop, end };
  } catch (error) {
    end();
    throw error;
  }
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

// Records until the user presses a button of this element. `onDone` gets the file.
export function Recording({ onDone, onClose }) {
  const [since, setSince] = useState(null);
  const [, redraw] = useState(0);
  const recording = useRef(null);
  const button = useRef(null);
  useEffect(() => {
    let isGone = false;
    const timer = setInterval(() => redraw((count) => count + 1), 500);
    record().then((started) => {
      if (isGone) return started.end();
      recording.current = started;
      setSince(Date.now());
    }).catch((error) => {
      report(`The browser gives no sound of a microphone (${error.message}). A file can be sent as a voice note: Attach.`);
      onClose();
    });
    return () => {
      isGone = true;
      clearInterval(timer);
      if (recording.current) recording.current.end();
    };
  }, []);
  useEffect(() => { if (since) button.current.focus(); }, [since]);
  async function send() {
    const file = await recording.current.stop();
    onDone(file);
    onClose();
  }
  return html`<div class="line recording" role="group" aria-label="Recording" onKeyDown=${(event) => event.key === 'Escape' && onClose()}>
    <button type="button" class="icon" aria-label="Discard the recording" title="Discard" onClick=${onClose}>✕</button>
    <span><i aria-hidden="true">●</i> ${since ? `Recording ${clock((Date.now() - since) / 1000)}` : 'Waiting for the microphone…'}</span>
    <button type="button" class="icon primary" aria-label="Send" title="Send" ref=${button} disabled=${!since} onClick=${send}>➤</button></div>`;
}
