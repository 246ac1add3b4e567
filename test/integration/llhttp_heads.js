// SPDX-License-Identifier: Apache-2.0
// The same as http1_heads.c by llhttp, as node has it. Argument: llhttp's leniency flags.
'use strict';
const { HTTPParser } = require('_http_common');
const input = require('fs').readFileSync(0);
const out = [];

function heads(stream) {
  const parser = new HTTPParser();
  const ends = [];
  let over = '';
  let at = 0;
  parser.initialize(HTTPParser.REQUEST, {}, 1 << 20, Number(process.argv[2]));
  parser[HTTPParser.kOnHeadersComplete | 0] = (...told) => {
    ends.push(at + 1);
    if (told[7])
      over = 'over';
    return told[7] ? 2 : 0;
  };
  parser[HTTPParser.kOnHeaders | 0] = () => {};
  parser[HTTPParser.kOnBody | 0] = () => {};
  parser[HTTPParser.kOnMessageComplete | 0] = () => {};
  for (; at < stream.length && !over; at++) {
    if (parser.execute(stream.subarray(at, at + 1)) instanceof Error)
      over = 'error';
  }
  return ends.concat(over || 'open').join(' ');
}

for (let from = 0; from < input.length;) {
  const line = input.indexOf(10, from);
  const n = Number(input.toString('latin1', from, line));
  out.push(heads(input.subarray(line + 1, line + 1 + n)));
  from = line + 1 + n;
}
process.stdout.write(out.join('\n') + '\n');
