// An agency's OpenID Connect provider for the tests: panva's oidc-provider, in memory. Who
// signs in, and how, is said by the test: it posts to the interaction what a person would
// have done there. Prints its port and serves until its input ends.

import https from "node:https";
import { readFileSync } from "node:fs";
import { generateKeyPair, exportJWK } from "jose";
import Provider from "oidc-provider";

const { CERT, KEY, REDIRECT, CLIENT_SECRET, ACCOUNTS, CONFORM, ISSUER_HOST } = process.env;
const accounts = JSON.parse(ACCOUNTS);
const { privateKey } = await generateKeyPair("RS256", { extractable: true });

const server = https.createServer({ cert: readFileSync(CERT), key: readFileSync(KEY) });
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const { port } = server.address();

const provider = new Provider(`https://${ISSUER_HOST || "localhost"}:${port}`, {
  clients: [{
    client_id: "handover", client_secret: CLIENT_SECRET, redirect_uris: [REDIRECT],
    grant_types: ["authorization_code"], response_types: ["code"], id_token_signed_response_alg: "RS256",
  }],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), use: "sig", alg: "RS256", kid: "1" }] },
  cookies: { keys: ["for these tests only"] },
  pkce: { required: () => true },
  claims: { openid: ["sub", "acr", "amr", "auth_time"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  acrValues: ["urn:gold", "urn:tin"],
  conformIdTokenClaims: CONFORM === "yes", // then what the scopes ask for is told by UserInfo alone
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  async loadExistingGrant(ctx) { // she has agreed to it before
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});

server.on("request", async (req, res) => {
  if (!req.url.startsWith("/interaction/")) return provider.callback()(req, res);
  if (req.method !== "POST") return res.end("what would she do?");
  let body = "";
  for await (const part of req) body += part;
  const { account, acr, amr, ago } = JSON.parse(body);
  const login = { accountId: account, acr, amr, remember: true };
  if (ago) login.ts = Math.floor(Date.now() / 1000) - ago;
  await provider.interactionFinished(req, res, { login }, { mergeWithLastSubmission: false });
});
server.on("error", (error) => { console.error(error); process.exit(1); });
provider.on("server_error", (_, error) => console.error(error));
console.log(port);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
