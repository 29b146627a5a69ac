// SPDX-License-Identifier: Apache-2.0
//
// The generated documents before other people's eyes: AsyncAPI's own parser reads asyncapi.json with all
// that it refers to, and Ajv, which finds schemas by their names, compiles the schemas and judges the examples.
// usage: node check.mjs FOLDER-WITH-node_modules SCHEMAS-FOLDER [JUNIT.xml]
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [tools, root, junit] = process.argv.slice(2).map((one) => path.resolve(one));
const require = createRequire(path.join(tools, 'package.json'));
const { Parser, DiagnosticSeverity } = require('@asyncapi/parser');
const Ajv = require('ajv/dist/2020').default;

const results = [];

async function test(name, run) {
  try {
    const words = await run();
    results.push({ name });
    console.log(`ok    ${name}${words ? `: ${words}` : ''}`);
  } catch (error) {
    results.push({ name, fault: error.message });
    console.log(`FAIL  ${name}\n${error.message}`);
  }
}

function must(condition, words) {
  if (!condition) throw new Error(words);
}

const source = path.join(root, 'asyncapi.json');
const text = fs.readFileSync(source, 'utf8');

// Errors and warnings fail; what the parser only remarks is told.
async function parse(document) {
  const { document: parsed, diagnostics } = await new Parser().parse(document, { source });
  const words = (one) => `${one.code} at ${one.path.join('/')}: ${one.message}`;
  const bad = diagnostics.filter((one) => one.severity <= DiagnosticSeverity.Warning);
  return { parsed, bad: bad.map(words), remarks: diagnostics.filter((one) => !bad.includes(one)).map(words) };
}

await test('AsyncAPI parser accepts the document', async () => {
  const { parsed, bad, remarks } = await parse(text);
  must(parsed && bad.length === 0, bad.join('\n'));
  const channels = parsed.channels().all();
  const unread = channels.filter((one) => one.messages().all().some((message) => !message.hasPayload()));
  must(channels.length > 0 && unread.length === 0, `no payload: ${unread.map((one) => one.id())}`);
  for (const remark of remarks) console.log(`      remark: ${remark}`);
  return `AsyncAPI ${parsed.version()}, ${channels.length} channels, ${parsed.operations().length} operations, ` +
    `${parsed.messages().length} messages, ${remarks.length} remarks`;
});

await test('AsyncAPI parser refuses a document with a fault', async () => {
  for (const spoil of [
    (document) => delete document.info.version,
    (document) => { document.channels['activity.openemail'].messages = []; },
    (document) => { document.components.messages['activity.openemail'].payload.$ref = './json/activity/none.schema.json'; },
  ]) {
    const document = JSON.parse(text);
    spoil(document);
    must((await parse(JSON.stringify(document))).bad.length > 0, `accepted: ${spoil}`);
  }
});

const ajv = new Ajv({ allErrors: true, strictTypes: false, formats: { 'date-time': true } });
const names = fs.readdirSync(path.join(root, 'json'), { recursive: true })
  .map((one) => one.split(path.sep).join('/')).filter((one) => one.endsWith('.schema.json'));

await test('every schema compiles', () => {
  for (const name of names) ajv.addSchema(JSON.parse(fs.readFileSync(path.join(root, 'json', name), 'utf8')), name);
  for (const name of names) must(typeof ajv.getSchema(name) === 'function', name);
  must(names.length > 100, `only ${names.length}`);
  return `${names.length} schemas`;
});

for (const file of fs.readdirSync(path.join(root, 'examples'))) {
  if (file === 'deadletter.json') continue;
  await test(`example ${file} is what its schema says`, () => {
    const example = JSON.parse(fs.readFileSync(path.join(root, 'examples', file), 'utf8'));
    const [, stream, type] = example.topic.split('.');
    const validate = ajv.getSchema(`${stream}/${type}.schema.json`);
    const value = JSON.parse(example.value);
    must(validate(value), ajv.errorsText(validate.errors));
    for (const member of ['specversion', 'id', 'source', 'type']) {
      const { [member]: _, ...rest } = value;
      must(!validate(rest), `accepted without ${member}`);
    }
    must(!validate({ ...value, data: [] }), 'accepted with data of the wrong kind');
  });
}

const failed = results.filter((one) => one.fault);
if (junit) {
  const plain = (words) => words.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
  fs.writeFileSync(junit, [
    `<testsuite name="schemas" tests="${results.length}" failures="${failed.length}" errors="0" skipped="0">`,
    ...results.map(({ name, fault }) => `<testcase name="${plain(name)}">${fault ? `<failure>${plain(fault)}</failure>` : ''}</testcase>`),
    '</testsuite>', '',
  ].join('\n'));
}
console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
