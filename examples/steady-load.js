'use strict';

// Steady load on loopback for the examples' load.js, which say what one request is.
// The rate is kept against the clock: a late tick sends what is due, up to one second's worth.

const http = require('node:http');

/** PORT [requests per second] [seconds] of the command line, the last two with defaults. */
function readArguments(rateUnlessGiven, secondsUnlessGiven, more = '') {
    const port = Number(process.argv[2]);
    const rate = Number(process.argv[3] || rateUnlessGiven);
    const seconds = Number(process.argv[4] || secondsUnlessGiven);
    if (!(port > 0 && rate > 0 && seconds > 0)) {
        console.error(`usage: node load.js PORT [REQUESTS_PER_SECOND] [SECONDS]${more}`);
        process.exit(2);
    }
    return { port, rate, seconds };
}

/** Seconds since this was called, each time the function it returns is called. */
function startClock() {
    const started = process.hrtime.bigint();
    return () => Number(process.hrtime.bigint() - started) / 1e9;
}

/**
 * Sends `rate` requests a second for so many seconds, over so many connections at most;
 * `describe(number)` gives the options of each as of http.request, with a `body` where it has one. Prints
 * what became of them as a line of JSON; those without an answer 5 s after the last are in `sent` alone.
 */
function steadyLoad({ port, rate, seconds, connections = 32 }, describe) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
    const elapsed = startClock();
    let sent = 0;
    let answered = 0;
    let failed = 0;
    let ended = false;

    function send(options) {
        const request = http.request({ host: '127.0.0.1', port, agent, ...options }, (response) => {
            response.resume();
            response.on('end', () => (response.statusCode === 200 ? answered++ : failed++));
        });
        // A server closes a connection that was idle for long, perhaps just as it is used again.
        request.on('error', (error) => {
            if (request.reusedSocket && error.code === 'ECONNRESET' && !ended)
                send(options);
            else
                failed++;
        });
        request.end(options.body);
    }

    function finish() {
        if (answered + failed < sent && elapsed() < seconds + 5) {
            setTimeout(finish, 50);
            return;
        }
        ended = true;
        console.log(JSON.stringify({ sent, answered, failed, seconds: Number(elapsed().toFixed(2)) }));
        agent.destroy();
    }

    const timer = setInterval(() => {
        const due = Math.min(Math.floor(elapsed() * rate), sent + Math.ceil(rate));
        while (sent < due)
            send(describe(sent++));
        if (elapsed() >= seconds) {
            clearInterval(timer);
            finish();
        }
    }, 10);
}

module.exports = { readArguments, startClock, steadyLoad };
