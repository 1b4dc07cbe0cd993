// undici's `request`, the fastest way that Node has. (The distribution's version speaks HTTP/1.1 only.)
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { read_arguments, run } from "./support.mjs";

const require = createRequire(import.meta.url);
const undici = require("undici"); // found by NODE_PATH
const peer = read_arguments();
const origin = new URL(peer.url).origin;
const pool = new undici.Pool(origin, {
  connections: peer.connections, pipelining: 1, connect: { ca: readFileSync(peer.ca_file) },
});
const path = peer.url.slice(origin.length);

await run(peer, async () => {
  const answer = await pool.request({ path, method: "POST", headers: peer.headers, body: peer.body });
  if (answer.statusCode >= 300) throw new Error(`HTTP ${answer.statusCode}`);
  return (await answer.body.json()).messages[0].id;
});
