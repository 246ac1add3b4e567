// SPDX-License-Identifier: Apache-2.0
// node server.js PORT direct|file|filelog|pool|timer|immediate|proxy|proxyh2 [UPSTREAM], or PORT https|h2c: what a
// handler does before it answers, and how it is asked.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const https = require('https');
const path = require('path');
const burn = require(path.join(__dirname, 'burn.node'));

const kind = process.argv[3];
const agent = new http.Agent({ keepAlive: true });

let open, log;

function session() {
	open = open || http2.connect(`http://127.0.0.1:${process.argv[4]}`);
	return open;
}

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
	filelog(n, us, done) {
		fs.readFile(__filename, () => {
			burn(n, us);
			log = log || fs.openSync('log', 'a');
			fs.writeSync(log, 'a line\n');
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
	proxy(n, us, done, request) {
		burn(n, us * 0.3);
		http.get({ port: process.argv[4], path: request.url, headers: request.headers, agent }, (answer) => {
			answer.resume();
			answer.on('end', () => {
				burn(n, us * 0.3);
				done();
			});
		});
	},
	proxyh2(n, us, done, request) {
		burn(n, us * 0.3);
		const context = request.headers.traceparent;
		const call = session().request({ ':path': request.url, ...(context && { traceparent: context }) });
		call.resume();
		call.on('end', () => {
			burn(n, us * 0.3);
			done();
		});
		call.end();
	},
	upstream(n, us, done) {
		burn(n, us * 0.4);
		done();
	},
	immediate(n, us, done) {
		slices(n, us, 4, setImmediate, done);
	},
};

function serve(request, response) {
	const found = /n=(\d+)&us=(\d+)/.exec(request.url);
	(handlers[kind] || handlers.direct)(Number(found[1]), Number(found[2]), () => {
		response.setHeader('Content-Length', 5);
		response.end('done\n');
	}, request);
}

function server() {
	if (kind === 'h2c')
		return http2.createServer(serve);
	if (kind !== 'https')
		return http.createServer({ keepAliveTimeout: 20000 }, serve);
	return https.createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') }, serve);
}

server().listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 511 });
