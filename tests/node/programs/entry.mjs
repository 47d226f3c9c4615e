// An ES module with top-level await and a dynamic import.
import { setTimeout as sleep } from 'node:timers/promises';

const { basename } = await import('node:path');
await sleep(250);
console.log(basename(import.meta.url), Object.keys(process.env).join());
