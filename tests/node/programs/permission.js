'use strict';

// What the permission model allows and refuses.

const fs = require('node:fs');

function attempt(action) {
    try {
        action();
        return 'allowed';
    } catch (error) {
        return error.code;
    }
}

console.log(process.permission.has('fs.read'), process.permission.has('fs.write'));
console.log(attempt(() => fs.readFileSync(__filename)));
console.log(attempt(() => fs.writeFileSync('refused.txt', 'x')));
console.log(attempt(() => require('node:child_process').spawnSync('true')));
setTimeout(() => console.log('later'), 300);
