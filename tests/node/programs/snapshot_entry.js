'use strict';

// The entry of a start-up snapshot: node --snapshot-blob FILE --build-snapshot snapshot_entry.js

globalThis.table = Array.from({ length: 100000 }, (_, n) => ({ n }));
setTimeout(() => {}, 400);
require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {
    console.log('entries', globalThis.table.length);
});
