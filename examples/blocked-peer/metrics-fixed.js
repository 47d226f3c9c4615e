'use strict';

// The repair: at most 100 events wait, the oldest go first; after a failure nothing is tried for a
// while, longer each time; and of a failure only its code is kept.

const http = require('node:http');

const WAITING_MAX = 100;
const PAUSE_MIN = 1000;
const PAUSE_MAX = 60000;

class Metrics {
    constructor(collector) {
        this.collector = collector;
        this.waiting = [];
        this.pause = PAUSE_MIN;
        this.notBefore = 0;
        this.lastError = null;
    }

    count(event) {
        this.waiting.push({ ...event, at: Date.now() });
        if (this.waiting.length > WAITING_MAX)
            this.waiting.shift();
        if (Date.now() >= this.notBefore)
            this.send(this.waiting.splice(0));
    }

    send(events) {
        const request = http.request({ ...this.collector, method: 'POST', path: '/events' });
        this.notBefore = Date.now() + this.pause;
        request.on('error', (error) => {
            this.lastError = error.code;
            this.pause = Math.min(this.pause * 2, PAUSE_MAX);
        });
        request.on('response', (response) => {
            response.resume();
            this.pause = PAUSE_MIN;
        });
        request.end(JSON.stringify(events));
    }

    end() {
        this.waiting = [];
    }
}

module.exports = { Metrics };
