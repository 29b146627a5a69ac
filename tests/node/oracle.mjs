// SPDX-License-Identifier: Apache-2.0
//
// Adobe's own verifier of webhook signatures as a judge: for each line of JSON on standard input, true or false.
// usage: node oracle.mjs FOLDER-WITH-node_modules KEYS.json     KEYS: {path of a key: PEM}
//
// Only where keys come from is exchanged: the library fetches them from Adobe's host and keeps them in Adobe's cloud;
// here both are the file. It reads recipient_client_id at the top of a single object only and refuses every array for
// that, so arrays go to the half behind that check.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';

const [tools, file] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(tools), 'package.json'));
const keys = JSON.parse(fs.readFileSync(file));
const host = 'https://static.adobeioevents.com';

function replace(name, exports) {
    const id = require.resolve(name);
    require.cache[id] = { id, filename: id, loaded: true, exports };
}

// Resolved from the library's own folder, so that it is the copy that the library sees.
const library = createRequire(require.resolve('@adobe/aio-lib-events'));
function replaceOf(name, exports) {
    replace(library.resolve(name), exports);
}

replaceOf('node-fetch', async (url) => {
    const found = url.startsWith(host) ? keys[url.slice(host.length)] : undefined;
    return { ok: found !== undefined, status: found === undefined ? 404 : 200, text: async () => found ?? '<html>no such key</html>' };
});
replaceOf('@adobe/aio-lib-state', { init: async () => ({ get: async () => undefined, put: async () => undefined }) });

const events = await require('@adobe/aio-lib-events').init('organization', 'key', 'token');
const { exportFunctions: halves } = library('./signatureUtils');

for await (const line of readline.createInterface({ input: process.stdin })) {
    const { body, recipient, signatures, paths } = JSON.parse(line);
    const text = Buffer.from(body, 'base64').toString('utf-8');
    const options = {
        digiSignature1: signatures[0],
        digiSignature2: signatures[1],
        publicKeyPath1: paths[0],
        publicKeyPath2: paths[1],
    };
    let verdict;
    try {
        verdict = text.trimStart().startsWith('[')
            ? await halves.verifyDigitalSignature(options, recipient, text)
            : await events.verifyDigitalSignatureForEvent(text, recipient, options);
    } catch {
        verdict = false;
    }
    console.log(JSON.stringify(verdict === true));
}
