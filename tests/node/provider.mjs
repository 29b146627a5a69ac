// SPDX-License-Identifier: Apache-2.0
//
// An identity provider as a customer's: oidc-provider with client credentials, JWT access tokens for the resources
// below, opaque ones, introspection and revocation, in clear text on loopback. Its keys stand in a file, so that it
// can be killed and started again.
// usage: node provider.mjs FOLDER-WITH-node_modules '{"port": ..., "keys": FILE, "clients": {ID: SECRET, ...}}'
//
// A resource is https://bridge.example/ALG, for a token in ALG's hand, or https://bridge.example/opaque; `?ttl=N` makes
// it last N seconds. The audience is the resource without the query.
// POST /control/rotate makes new keys and signs with them; what was published before goes on being so with ?keep=1.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [tools, settings] = process.argv.slice(2);
const { port, keys: file, clients } = JSON.parse(settings);
const require = createRequire(path.join(path.resolve(tools), 'package.json'));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const issuer = `http://127.0.0.1:${port}`;
const shapes = [
    ['rsa', { modulusLength: 2048 }],
    ['ec', { namedCurve: 'P-256' }],
    ['ec', { namedCurve: 'P-384' }],
];

function freshKeys() {
    return shapes.map(([type, options]) => {
        const { privateKey } = crypto.generateKeyPairSync(type, options);
        return { ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: crypto.randomUUID() };
    });
}

function resource(indicator) {
    const url = new URL(indicator);
    const alg = url.pathname.slice(1);
    return {
        audience: url.origin + url.pathname,
        scope: '',
        accessTokenTTL: Number(url.searchParams.get('ttl') ?? 600),
        accessTokenFormat: alg === 'opaque' ? 'opaque' : 'jwt',
        jwt: alg === 'opaque' ? undefined : { sign: { alg } },
    };
}

// The adapter's memory is the module's own: tokens outlive the instance, as they would outlive a rotation.
function makeProvider(keys) {
    const provider = new Provider(issuer, {
        clients: Object.entries(clients).map(([client_id, client_secret]) => ({
            client_id,
            client_secret,
            grant_types: ['client_credentials'],
            response_types: [],
            redirect_uris: [],
        })),
        jwks: { keys },
        cookies: { keys: ['nobody logs in here'] },
        features: {
            devInteractions: { enabled: false },
            clientCredentials: { enabled: true },
            introspection: { enabled: true, allowedPolicy: () => true },
            revocation: { enabled: true },
            resourceIndicators: {
                enabled: true,
                getResourceServerInfo: (ctx, indicator) => resource(indicator),
            },
        },
    });
    provider.on('server_error', (ctx, error) => console.error(error));
    return provider.callback();
}

let keys = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : freshKeys();
let answer = makeProvider(keys);

function use(fresh) {
    keys = fresh;
    fs.writeFileSync(`${file}.new`, JSON.stringify(keys));
    fs.renameSync(`${file}.new`, file);
    answer = makeProvider(keys);
}

const server = http.createServer((request, response) => {
    const url = new URL(request.url, issuer);
    if (url.pathname === '/control/rotate') {
        // The first one that fits signs.
        use([...freshKeys(), ...(url.searchParams.get('keep') === '1' ? keys : [])]);
        response.end();
        return;
    }
    answer(request, response);
});
use(keys);
server.listen(port, '127.0.0.1');
