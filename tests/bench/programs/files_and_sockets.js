'use strict';

// Every request opens a file and a connection to a server beside, and comes on a connection of its own:
// what leakshim counts exactly, at a rate that few services have.
//   node files_and_sockets.js PORT

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');

const beside = net.createServer((connection) => {
    connection.on('error', () => {});
    connection.end('beside');
});

function ask(done) {
    const connection = net.connect(beside.address().port, '127.0.0.1');
    let said = '';
    connection.on('data', (data) => (said += data));
    connection.on('error', () => {});
    connection.on('close', () => done(said));
}

const server = http.createServer((request, response) => {
    fs.readFile(__filename, (error, text) => {
        ask((said) => response.end(`${said} ${error ? 0 : text.length}`));
    });
});

beside.listen(0, '127.0.0.1', () => server.listen(Number(process.argv[2]), '127.0.0.1'));

// As server.js does, so that tools can finish their work.
process.once('SIGTERM', () => process.exit(0));
