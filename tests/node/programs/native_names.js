'use strict';
// Every function here that takes a block says in a comment, /*@key name*/, what it is called and
// that its line is the one it starts on; the test compares that with what leakshim found.
const vm = require('vm');
const zlib = require('zlib');

const keep = [];
const cases = [];
let size = 300000;

// Registers one case: a block of a size of its own, taken by `run(size)`, under the functions
// `chain`, innermost first.
function expect(chain, run) {
  const bytes = size += 4096;
  cases.push({ chain, bytes, run: () => run(bytes) });
}
const hold = (block) => { keep.push(block); };

function plain(n) /*@plain plain*/ { hold(Buffer.alloc(n)); }
expect(['plain'], plain);

const arrow = (n) => /*@arrow arrow*/ { hold(Buffer.alloc(n)); };
expect(['arrow'], arrow);

class Cache {
  #secret = 1;
  static #count = 0;
  constructor(n) /*@constructor Cache*/ { if (n) hold(Buffer.alloc(n)); }
  put(n) /*@method put*/ { hold(Buffer.alloc(n + (this.#secret - 1))); }
  store(n) /*@store store*/ { hold(Buffer.alloc(n)); }
  get size() /*@getter get size*/ { hold(Buffer.alloc(this.wanted)); return 0; }
  static make(n) /*@static make*/ { Cache.#count++; hold(Buffer.alloc(n)); return eval('0'); }
}
const cache = new Cache(0);
expect(['constructor'], (n) => new Cache(n));
expect(['method'], (n) => cache.put(n));
expect(['getter'], (n) => { cache.wanted = n; return cache.size; });
expect(['static'], (n) => Cache.make(n));

class Derived extends Cache {
  store(n) /*@derived store*/ { super.store(n); }
}
expect(['store', 'derived'], (n) => new Derived(0).store(n));

const object = {
  shorthand(n) /*@shorthand shorthand*/ { hold(Buffer.alloc(n)); },
  property: function (n) /*@property property*/ { hold(Buffer.alloc(n)); },
  deep: {},
};
object.deep.er = function (n) /*@inferred object.deep.er*/ { hold(Buffer.alloc(n)); };
expect(['shorthand'], (n) => object.shorthand(n));
expect(['property'], (n) => object.property(n));
expect(['inferred'], (n) => object.deep.er(n));

function each(n) /*@each each*/ { [n].forEach((one) => /*@callback (anonymous)*/ { hold(Buffer.alloc(one)); }); }
expect(['callback', 'each'], each);

function outer(n) /*@outer outer*/ {
  function inner() /*@inner inner*/ { hold(Buffer.alloc(n)); }
  inner();
}
expect(['inner', 'outer'], outer);

function* generate(n) /*@generator generate*/ { hold(Buffer.alloc(n)); yield 0; }
expect(['generator'], (n) => generate(n).next());

function defaults(n, m = n) /*@defaults defaults*/ { hold(Buffer.alloc(m)); }
expect(['defaults'], (n) => defaults(n));

function größe(n) /*@latin größe*/ { hold(Buffer.alloc(n)); }
expect(['latin'], größe);

// More captured variables than a scope lists by itself.
const many = new Function('hold', `return function crowded(n) {
  ${Array.from({ length: 90 }, (_, i) => `let v${i} = ${i};`).join(' ')}
  const all = () => [${Array.from({ length: 90 }, (_, i) => `v${i}`).join()}];
  hold(Buffer.alloc(n)); return all; }`)(hold);

// Script names and lines of its own, characters of two bytes, and all the ends a line can have.
const virtual = vm.runInThisContext(`// \u540d\u524d
\r\n\r\u2028(function (hold) {
  return { \u540d\u524d(n) { hold(Buffer.alloc(n)); }, crowded: null };
})`, { filename: '/virtual/script.js' })(hold);
cases.push({ chain: ['two-byte'], bytes: 1048583, run: () => virtual.\u540d\u524d(1048583),
             key: { 'two-byte': ['\u540d\u524d', '/virtual/script.js', 6] } });

const shifted = vm.runInThisContext('(function shifted(hold, n) { hold(Buffer.alloc(n)); })',
                                    { filename: '/virtual/shifted.js', lineOffset: 41 });
cases.push({ chain: ['shifted'], bytes: 1064983, run: () => shifted(hold, 1064983),
             key: { shifted: ['shifted', '/virtual/shifted.js', 42] } });

const expressions = new vm.Script('0, function named(hold, n, many) { many(n); }',
                                  { filename: '/virtual/named.js' }).runInThisContext();
// Code without a script's name is nobody's: its caller is the one to name.
cases.push({ chain: ['crowded', 'named'], bytes: 1081367,
             run: () => expressions(hold, 1081367, many),
             key: { crowded: ['crowded', null, 3], named: ['named', '/virtual/named.js', 1] } });

function compress(n) /*@zlib compress*/ { hold(zlib.createInflate({ chunkSize: n })); }
expect(['zlib'], compress);

function memory(n) /*@arraybuffer memory*/ { hold(new ArrayBuffer(n)); }
expect(['arraybuffer'], memory);

function repeated(depth, n) /*@recursion repeated*/ {
  if (depth > 0) repeated(depth - 1, n); else hold(Buffer.alloc(n));
}
expect(['recursion', 'recursion', 'recursion'], (n) => repeated(2, n));

function sorted(n) /*@sort sorted*/ { [2, 1].sort((a, b) => /*@comparator (anonymous)*/ { if (n) hold(Buffer.alloc(n)); n = 0; return a - b; }); }
expect(['comparator', 'sort'], sorted);

async function resumed(n) /*@async resumed*/ { await null; hold(Buffer.alloc(n)); }
expect(['async'], resumed);

for (const one of cases) one.run();

// Other resources that a call from JavaScript takes at once, by kind: how many, and where.
const fs = require('fs');
function readLater(path) /*@file readLater*/ { hold(fs.openSync(path)); }
for (let i = 0; i < 5; i++) readLater(process.execPath);
function makeMemory() /*@map makeMemory*/ { hold(new WebAssembly.Memory({ initial: 3 })); }
for (let i = 0; i < 4; i++) makeMemory();
const { Worker } = require('worker_threads');
function startWorker() /*@thread startWorker*/ { hold(new Worker('setInterval(() => {}, 1000)', { eval: true })); }
for (let i = 0; i < 2; i++) startWorker();
const others = [{ resource: 'file', count: 5, key: 'file' },
                { resource: 'map', count: 4, key: 'map' },
                { resource: 'thread', count: 2, key: 'thread' }];
setTimeout(() => { // what waits for a promise has gone on by then
  const blocks = cases.map(({ chain, bytes, key }) => ({ chain, bytes, key }));
  console.log(JSON.stringify({ blocks, others }));
}, 10);
setInterval(() => {}, 1000);
