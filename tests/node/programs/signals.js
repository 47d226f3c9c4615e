'use strict';

// Signals that interrupt the event loop's wait while fresh functions are compiled in the handlers.

let count = 0;

function handle() {
    const compiled = new Function('a', `${'a = a + 1;'.repeat(50 + count)} return a;`);
    count += compiled(0) > 0 ? 1 : 0;
    if (count < 300) {
        process.kill(process.pid, count % 2 ? 'SIGUSR2' : 'SIGHUP');
    } else {
        console.log(count);
        process.exit(0);
    }
}

process.on('SIGUSR2', handle);
process.on('SIGHUP', handle);
setInterval(() => {}, 1000);
process.kill(process.pid, 'SIGUSR2');
