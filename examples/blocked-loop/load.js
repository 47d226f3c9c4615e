'use strict';

// Load on loopback: node load.js PORT [requests per second] [seconds]
// Work of the three kinds in turn, and beside it a health check every 100 ms. Prints what was answered,
// and how long the slowest health check took.

const http = require('node:http');
const { readArguments, startClock } = require('../steady-load.js');

const { port, rate, seconds } = readArguments(3, 60);

const KINDS = ['/import', '/export', '/login'];
// No connection is kept: a server that stands still closes idle ones just as they are used again.
const agent = new http.Agent({ keepAlive: false, maxSockets: 32 });
const elapsed = startClock();
let sent = 0;
let answered = 0;
let failed = 0;
let slowest = 0;

function ask(path, done) {
    const request = http.get({ host: '127.0.0.1', port, agent, path }, (response) => {
        response.resume();
        response.on('end', () => done(response.statusCode === 200));
    });
    request.on('error', () => done(false));
}

function count(succeeded) {
    if (succeeded) {
        answered++;
    } else {
        failed++;
    }
}

// A server that is behind is not asked for more.
const work = setInterval(() => {
    if (sent === answered + failed) {
        ask(KINDS[sent++ % KINDS.length], count);
    }
}, 1000 / rate);

const health = setInterval(() => {
    const asked = elapsed();
    ask('/health', (succeeded) => {
        slowest = Math.max(slowest, elapsed() - asked);
        failed += succeeded ? 0 : 1;
    });
}, 100);

setTimeout(() => {
    clearInterval(work);
    clearInterval(health);
    finish();
}, seconds * 1000);

function finish() {
    if (answered + failed < sent && elapsed() < seconds + 5) {
        setTimeout(finish, 50);
        return;
    }
    agent.destroy();
    console.log(JSON.stringify({
        sent, answered, failed, seconds: Number(elapsed().toFixed(2)),
        slowest_health_check_s: Number(slowest.toFixed(3)),
    }));
}
