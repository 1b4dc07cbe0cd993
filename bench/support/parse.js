// Parses one file again and again and prints the seconds of CPU: path warm_up count.
const fs = require("fs");
const [path, warmUp, count] = process.argv.slice(2);
const text = fs.readFileSync(path, "utf8");
for (let i = 0; i < Number(warmUp); i++) JSON.parse(text);
const before = process.cpuUsage();
for (let i = 0; i < Number(count); i++) JSON.parse(text);
const used = process.cpuUsage(before);
console.log(((used.user + used.system) / 1e6).toFixed(6));
