// Sockets of three kinds, ten times a second: "leak" keeps its connections, asks a port that refuses,
// and makes requests that come to an end; "pool" opens forty connections and keeps them at work.
// Says when it is done and then goes on without a change.
'use strict';
const http = require('http');
const net = require('net');

const [kind, seconds] = process.argv.slice(2);
const kept = [];

function keepSocket(port) {
  kept.push(net.connect(port, '127.0.0.1'));
}

function askRefused() {
  net.connect(1, '127.0.0.1').on('error', () => {});
}

function get(port, agent) {
  http.get({ port, host: '127.0.0.1', agent }, (response) => response.resume());
}

const server = http.createServer((request, response) => response.end('x'));
server.keepAliveTimeout = 600000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 40 });
  const timer = setInterval(() => {
    if (kind === 'pool') {
      for (let i = 0; i < 60; i++) get(port, agent);
    } else {
      keepSocket(port);
      askRefused();
      get(port, false);
    }
  }, 100);
  setTimeout(() => {
    clearInterval(timer);
    setTimeout(() => process.stdout.write(`done ${port} ${kept.length}\n`), 300);
  }, seconds * 1000);
});
setInterval(() => {}, 100);
