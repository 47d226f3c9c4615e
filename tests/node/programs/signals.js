'use strict';

// Signals from another process interrupt the event loop's wait, so errno is EINTR when the handler
// compiles fresh functions, whose memory comes from malloc.

const { spawn } = require('node:child_process');

const SIGNALS = 60;
let count = 0;

function handle() {
    const compiled = new Function('a', `${'a = a + 1;'.repeat(200 + count)} return a;`);
    if (compiled(0) > 0 && ++count === SIGNALS) {
        console.log(count);
        process.exit(0);
    }
}

process.on('SIGUSR2', handle);
setInterval(() => {}, 100000);
// The shell waits between signals, so that each one finds the loop waiting.
spawn('sh', ['-c', 'while kill -USR2 "$0"; do sleep 0.02; done', String(process.pid)],
    { stdio: 'ignore' });
