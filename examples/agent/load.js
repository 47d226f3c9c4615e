'use strict';

// Steady load on loopback: node load.js PORT [requests per second] [seconds]
// The rate is kept against the clock: a late tick sends what is due, up to one second's worth.

const http = require('node:http');

const port = Number(process.argv[2]);
const rate = Number(process.argv[3] || 1000 / 60);
const seconds = Number(process.argv[4] || 60);
if (!(port > 0 && rate > 0 && seconds > 0)) {
    console.error('usage: node load.js PORT [REQUESTS_PER_SECOND] [SECONDS]');
    process.exit(2);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
const started = process.hrtime.bigint();
let sent = 0;
let answered = 0;
let failed = 0;

function elapsed() {
    return Number(process.hrtime.bigint() - started) / 1e9;
}

function ask(key) {
    const request = http.get({ host: '127.0.0.1', port, agent, path: `/orders/${key}` }, (response) => {
        response.resume();
        response.on('end', () => (response.statusCode === 200 ? answered++ : failed++));
    });
    // A server closes a connection that was idle for long, perhaps just as it is used again.
    request.on('error', (error) => {
        if (request.reusedSocket && error.code === 'ECONNRESET')
            ask(key);
        else
            failed++;
    });
}

const timer = setInterval(() => {
    const due = Math.min(Math.floor(elapsed() * rate), sent + Math.ceil(rate));
    while (sent < due) {
        ask(sent++ % 100);
    }
    if (elapsed() >= seconds) {
        clearInterval(timer);
        finish();
    }
}, 10);

function finish() {
    if (answered + failed < sent && elapsed() < seconds + 5) {
        setTimeout(finish, 50);
        return;
    }
    agent.destroy();
    console.log(JSON.stringify({ sent, answered, failed, seconds: Number(elapsed().toFixed(2)) }));
}
