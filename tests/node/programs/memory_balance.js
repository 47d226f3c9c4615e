'use strict';
// A server that answers itself, keeps some JavaScript and some Buffers, and has a worker.
const http = require('http');
const { Worker, isMainThread } = require('worker_threads');

if (!isMainThread) {
  globalThis.kept = Array.from({ length: 50000 }, (_, i) => ({ i }));
  setInterval(() => {}, 1000);
} else {
  const kept = [];
  new Worker(__filename);
  const server = http.createServer((request, response) => {
    if (kept.length < 2000)
      kept.push({ url: request.url, headers: request.headers, body: Buffer.alloc(8000, 1) });
    response.end('x'.repeat(1000));
  });
  server.listen(0, '127.0.0.1', () => {
    const agent = new http.Agent({ keepAlive: true });
    const ask = () => http.get({ port: server.address().port, agent, host: '127.0.0.1' },
      (response) => { response.resume(); response.on('end', ask); });
    for (let i = 0; i < 4; i++)
      ask();
  });
  setTimeout(() => process.exit(0), 4000);
}
