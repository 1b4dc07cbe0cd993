// Node's own fetch. Its authorities come from NODE_EXTRA_CA_CERTS, which bench/send.lua sets.
import { read_arguments, run } from "./support.mjs";

const peer = read_arguments();

await run(peer, async () => {
  const answer = await fetch(peer.url, { method: "POST", headers: peer.headers, body: peer.body });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return (await answer.json()).messages[0].id;
});
