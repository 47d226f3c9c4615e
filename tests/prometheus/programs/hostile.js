'use strict';

// A program whose names try to break a text format: its thread, functions, files and peers. It keeps what
// the functions make, so that they are listed, and talks to peers that answer and peers that do not.

const http = require('node:http');
const net = require('node:net');
const vm = require('node:vm');

const kept = [];
const names = ['quote"', 'back\\slash', 'line\nfeed', 'tab\tbell\u0007', 'labels{a="b",c="d"} 1',
    '# TYPE x counter', '\ud800 half a pair', '\u202e backwards', 'é🐛', 'n'.repeat(300)];

process.title = 'a"b\\c\n{d}';

const makers = names.map((name) => vm.runInThisContext(
    `(kept) => ({ ${JSON.stringify(name)}() { kept.push(new Array(4000).fill(1.5)); } })[${JSON.stringify(name)}]`,
    { filename: `/srv/${name}.js` })(kept));

const server = http.createServer((request, response) => response.end('done'));
server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    setInterval(() => {
        for (const make of makers)
            make();
        http.get({ host: '127.0.0.1', port, agent: false }, (response) => response.resume())
            .on('error', () => {});
        for (const name of names)
            net.connect({ path: `/nowhere/${name.slice(0, 80)}` }).on('error', () => {});
    }, 250);
    console.log('listening on', port);
});
process.once('SIGTERM', () => process.exit());
