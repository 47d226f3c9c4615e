// The same leak from an ES module: V8 knows its script by a file URL.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import vm from 'node:vm';

createRequire(import.meta.url)('node:v8').setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc');
const kept = [];

async function remember() {
    await null;
    for (let i = 0; i < 20; i++) {
        kept.push({ id: kept.length, values: new Array(500).fill(kept.length + 0.5) });
    }
}

const timers = [setInterval(remember, 10), setInterval(collect, 700)];
await sleep(Number(process.env.LEAK_SECONDS || 1) * 1000);
timers.forEach(clearInterval);
console.log('done', kept.length > 0);
