'use strict';

// One function connects to twelve peers that answer and, half as often, to one that refuses: its port is
// in the variable REFUSED.

const net = require('node:net');

const servers = Array.from({ length: 12 }, () => net.createServer((socket) => socket.end()));
let listening = 0;

function connect(port) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
}

function round() {
    for (const server of servers) {
        connect(server.address().port);
        connect(server.address().port);
    }
    connect(Number(process.env.REFUSED));
}

for (const server of servers) {
    server.listen(0, '127.0.0.1', () => {
        if (++listening === servers.length) {
            setInterval(round, 400);
            console.log('listening on', server.address().port);
        }
    });
}
