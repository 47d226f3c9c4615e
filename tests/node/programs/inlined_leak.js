'use strict';
// A server whose leak is in a small function without a wait: under load V8 soon compiles it into its
// caller, where its frames are gone. It asks itself 400 times a second.
const http = require('http');

const rows = new Map();

function row(id) {
  const cells = [];
  for (let i = 0; i < 60; i++)
    cells.push({ id, i, text: `row ${id} ${i}` });
  return cells;
}

function put(id) { rows.set(id, row(id)); }

function handler(request, response) {
  put(rows.size);
  response.end('stored');
}

const server = http.createServer(handler).listen(0, '127.0.0.1', () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const { port } = server.address();
  setInterval(() => {
    for (let i = 0; i < 4; i++)
      http.get({ port, agent }, (answer) => answer.resume());
  }, 10);
});
setTimeout(() => process.exit(), 32000);
