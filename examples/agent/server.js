'use strict';

// A healthy service with an agent in it: node server.js AGENT.node
//   GET /…   answers with some rows, and tells the agent

const http = require('node:http');
const path = require('node:path');
const agent = require(path.resolve(process.argv[2]));

const server = http.createServer(function handle(request, response) {
    const body = JSON.stringify({ url: request.url, rows: new Array(50).fill(request.url) });
    agent.trace(`${request.method} ${request.url}`, body.length);
    response.end(body);
});

server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
    console.log(`listening on ${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        server.close();
        server.closeAllConnections();
    });
}
