// An identity provider of others (the npm package oidc-provider) on a port of 127.0.0.1, over HTTPS.
// Whoever signs in at its form, with any password, is the subject that the form says.
//
// node provider.mjs FOLDER CERTIFICATE KEY REDIRECT_URI SECRET METHOD ALGORITHM
//
// FOLDER holds node_modules. It prints {"port": ...} once it serves.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { pathToFileURL } from 'node:url';

const [folder, certificate, key, redirect, secret, method, algorithm] = process.argv.slice(2);
const entry = pathToFileURL(`${folder}/node_modules/oidc-provider/lib/index.js`);
const { default: Provider } = await import(entry);

function jwk(kind, options, extra) {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', ...extra };
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`https://localhost:${port}`, {
    clients: [{
      client_id: 'sluice',
      client_secret: secret,
      redirect_uris: [redirect],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: method,
      id_token_signed_response_alg: algorithm,
    }],
    clientAuthMethods: [method],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
    jwks: {
      keys: [
        jwk('rsa', { modulusLength: 2048 }, { kid: 'rsa', alg: 'RS256' }),
        jwk('ec', { namedCurve: 'P-256' }, { kid: 'ec', alg: 'ES256' }),
      ],
    },
    cookies: { keys: ['of this test alone'] },
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ port }));
});
