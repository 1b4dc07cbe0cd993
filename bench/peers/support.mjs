// What the Node peers share: the arguments, and the measuring of CPU and wall time after a warm-up.
export function read_arguments() {
  const [url, ca_file, body, in_flight, warm_up, messages, protocol, connections, ...lines] = process.argv.slice(2);
  const headers = Object.fromEntries(lines.map((line) => {
    const at = line.indexOf(": ");
    return [line.slice(0, at), line.slice(at + 2)];
  }));
  return {
    url, ca_file, body, headers, in_flight: Number(in_flight), warm_up: Number(warm_up), messages: Number(messages),
    http2: protocol === "HTTP/2", connections: Number(connections),
  };
}

async function work(peer, send, count) {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: peer.in_flight }, worker));
}

export async function run(peer, send) {
  await work(peer, send, peer.warm_up);
  const cpu = process.cpuUsage(), wall = process.hrtime.bigint();
  await work(peer, send, peer.messages);
  const used = process.cpuUsage(cpu), seconds = Number(process.hrtime.bigint() - wall) / 1e9;
  console.log(`${((used.user + used.system) / 1e6).toFixed(6)} ${seconds.toFixed(6)}`);
  process.exit(0);
}
