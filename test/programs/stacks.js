// SPDX-License-Identifier: Apache-2.0
// stacks.js SECONDS: until it has used so much CPU time, or twelve times as much has gone by: what node's
// stacks are made of: the interpreter, baseline and optimised code,
// built-ins that call back, generators, promises, exceptions, regular expressions, native libraries.
// The main thread and a worker.
'use strict';
const { Worker, isMainThread, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

class Ordered {
  constructor(value) { this.value = value; }
  get twice() { return this.value * 2; }
  *[Symbol.iterator]() { for (let i = 0; i < this.value; i++) yield i; }
}

function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
function nested(n) { return n ? [1, 2].map(() => nested(n - 1)).reduce((a, b) => a + b, 1) : 1; }
function throws(n) { if (!n) throw new Error('x'); throws(n - 1); }
async function awaits(n) { if (n) { await null; return awaits(n - 1); } return 1; }

function used() { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; }

async function work(seconds, end) {
  while (used() < seconds && Date.now() < end) {
    fib(17);
    nested(6);
    JSON.parse(JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ a: i, b: [i, String(i)] }))));
    'aaaab'.repeat(50).replace(/(a+)+b/g, m => m + m);
    Array.from({ length: 200 }, () => new Ordered(Math.random())).sort((p, q) => p.twice - q.twice);
    try { throws(30); } catch (e) { /* wanted */ }
    for (const i of new Ordered(200)) fib(i % 5);
    zlib.deflateSync(Buffer.alloc(20000, 'abc'));
    crypto.createHash('sha256').update(Buffer.alloc(30000)).digest();
    await awaits(20);
    new Function('a', 'return a + ' + Math.random())(1);
    new Map(Array.from({ length: 100 }, (_, i) => [i, i]));
  }
}

const seconds = isMainThread ? Number(process.argv[2]) : workerData;
if (isMainThread) new Worker(__filename, { workerData: seconds });
work(seconds, Date.now() + 12000 * seconds);
