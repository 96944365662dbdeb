// Log in to Salesforce with what Vault holds: once per version, and never again with one that was refused.
const jsforce = require('jsforce');

const headers = { 'X-Vault-Token': process.env.VAULT_TOKEN };
const read = async (path) => (await (await fetch(`${process.env.VAULT_ADDR}/v1/sf/${path}`, { headers })).json()).data;

// A session to keep; `refused` is a Set that belongs to the process.
exports.logIn = async (role, refused, pauseMilliseconds = 5000) => {
  for (;; await new Promise((done) => setTimeout(done, pauseMilliseconds))) {
    const [held, now] = [await read(`static-creds/${role}`), await read(`version/${role}`)];
    if (held.version !== now.version || now.changing || refused.has(held.version)) continue;
    const org = new jsforce.Connection({ loginUrl: held.login_url });
    // Not login(): it remembers the password, and logs in again by itself when the session ends.
    const refusal = await org.loginBySoap(held.username, held.password_token).then(() => null, (error) => error);
    if (!refusal) return org;
    if (!refusal.message.startsWith('INVALID_LOGIN')) throw refusal;
    refused.add(held.version);
  }
};
