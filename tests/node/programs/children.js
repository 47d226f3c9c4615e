'use strict';

// A parent with children of every kind: exec, spawn, spawnSync, fork and cluster.

const childProcess = require('node:child_process');
const cluster = require('node:cluster');
const { promisify } = require('node:util');

function ended(child) {
    return new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
}

async function main() {
    const { stdout } = await promisify(childProcess.exec)('echo from a shell; printf "%s" "$0"');
    console.log(JSON.stringify(stdout));
    const node = childProcess.spawnSync(process.execPath, ['-e', 'console.log(1 + 1)']);
    console.log(String(node.stdout), String(node.stderr), node.status);
    console.log(childProcess.spawnSync('sh', ['-c', 'exit 3']).status);
    console.log(childProcess.spawnSync('/nonexistent').error.code);

    const forked = childProcess.fork(__filename, ['forked']);
    forked.on('message', (message) => console.log('forked says', message));
    console.log('forked', await ended(forked));

    const sleeper = childProcess.spawn('sleep', ['60']);
    sleeper.kill('SIGKILL');
    console.log('sleeper', await ended(sleeper));

    const workers = [cluster.fork(), cluster.fork()];
    console.log('cluster', await Promise.all(workers.map(ended)));
}

if (cluster.isWorker) {
    const server = require('node:http').createServer((request, response) => response.end());
    server.listen(0, '127.0.0.1', () => setTimeout(() => process.exit(4), 800));
} else if (process.argv[2] === 'forked') {
    process.send('hello');
    setTimeout(() => process.exit(5), 800);
} else {
    main();
}
