// SPDX-License-Identifier: Apache-2.0
// node server.js PORT direct|file|pool|timer|immediate: what a handler does before it answers.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const burn = require(path.join(__dirname, 'burn.node'));

const kind = process.argv[3];

function slices(n, us, left, next, done) {
	burn(n, us / 4);
	if (left > 1)
		next(() => slices(n, us, left - 1, next, done));
	else
		done();
}

const handlers = {
	direct(n, us, done) {
		burn(n, us);
		done();
	},
	file(n, us, done) {
		fs.readFile(__filename, () => {
			burn(n, us);
			done();
		});
	},
	pool(n, us, done) {
		burn(n, us / 2);
		crypto.pbkdf2('key', 'salt', 200, 32, 'sha1', () => {
			burn(n, us / 2);
			done();
		});
	},
	timer(n, us, done) {
		slices(n, us, 4, (f) => setTimeout(f, 2), done);
	},
	immediate(n, us, done) {
		slices(n, us, 4, setImmediate, done);
	},
};

http.createServer({ keepAliveTimeout: 20000 }, (request, response) => {
	const found = /n=(\d+)&us=(\d+)/.exec(request.url);
	handlers[kind](Number(found[1]), Number(found[2]), () => {
		response.setHeader('Content-Length', 5);
		response.end('done\n');
	});
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 511 });
