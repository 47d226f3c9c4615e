'use strict';
// An HTTP server that makes a JSON document for each request: objects, strings and one Buffer too
// large for Node's pool. It ends on SIGTERM by process.exit, so that tools can finish their work.
const http = require('http');

const TITLES = ['socket', 'thread', 'mapping', 'buffer', 'closure', 'listener', 'promise', 'timer'];
let served = 0;

function item(number) {
  return {
    id: number,
    title: `${TITLES[number % TITLES.length]} ${number}`,
    tags: TITLES.slice(number % 5, number % 5 + 3),
    price: (number * 37) % 1000 / 10,
  };
}

function document(from) {
  const items = [];
  for (let i = 0; i < 60; i++)
    items.push(item(from + i));
  const total = items.reduce((sum, one) => sum + one.price, 0);
  return { from, total, items };
}

function handle(request, response) {
  served++;
  const body = Buffer.from(JSON.stringify(document(served % 5000)));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

http.createServer(handle).listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
