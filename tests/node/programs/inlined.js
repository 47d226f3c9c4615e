'use strict';
// A function that keeps every block and is small enough to be inlined into its caller. Whether
// that is optimised V8 tells itself: bit 4 of %GetOptimizationStatus.
const kept = [];

function keep(n) { kept.push(new ArrayBuffer(n)); }
function handle(n) { keep(n); }

function rounds(count) {
  for (let i = 0; i < count; i++)
    handle(4096);
}

rounds(500);
%PrepareFunctionForOptimization(keep);
%PrepareFunctionForOptimization(handle);
rounds(500);
%OptimizeFunctionOnNextCall(handle);
rounds(4000);
const optimised = (%GetOptimizationStatus(handle) & 16) !== 0;
console.log(JSON.stringify({ blocks: kept.length, optimised }));
setInterval(() => {}, 1000);
