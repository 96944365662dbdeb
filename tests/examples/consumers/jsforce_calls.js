// What jsforce does with an org, call by call: prints one JSON object with what each call gave, or how it failed.
const path = require('path');

const [folder, given] = process.argv.slice(2);
const jsforce = require(path.join(folder, 'node_modules', 'jsforce'));
const { url, admin, app, key, secret, assertion, expired } = JSON.parse(given);
const oauth2 = { loginUrl: url, clientId: key, clientSecret: secret };
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const failure = (promise) => promise.then(
  () => null,
  (error) => ({ name: error.name, code: error.errorCode ?? null, message: error.message }),
);

async function main() {
  const seen = {};
  const org = new jsforce.Connection({ loginUrl: url });
  seen.login = await org.loginBySoap(admin.username, admin.password);
  seen.found = (await org.query(`SELECT Id, Username FROM User WHERE Username = '${app.username}'`)).records[0];
  seen.identity = (await org.identity()).username;
  seen.limits = (await org.limits()).DailyApiRequests.Max;
  seen.risks = (await org.tooling.query('SELECT Setting FROM SecurityHealthCheckRisks')).totalSize;
  seen.badQuery = await failure(org.query('SELECT Nothing FROM User'));
  seen.setPassword = await failure(org.soap.setPassword(seen.found.Id, 'Second<&pass2'));
  seen.weakPassword = await failure(org.soap.setPassword(seen.found.Id, 'short'));
  seen.wrongPassword = await failure(new jsforce.Connection({ loginUrl: url }).loginBySoap(app.username, 'wrong'));
  seen.noToken = await failure(new jsforce.Connection({ loginUrl: url }).loginBySoap(app.username, 'Second<&pass2'));
  seen.reset = await org.soap.resetPassword(seen.found.Id);
  seen.expired = await failure(new jsforce.Connection({ loginUrl: url }).loginBySoap(expired.username, expired.password));

  seen.passwordGrant = await new jsforce.Connection({ oauth2 }).login(admin.username, admin.password);
  seen.wrongGrant = await failure(new jsforce.Connection({ oauth2 }).login(admin.username, 'wrong'));
  seen.clientGrant = await new jsforce.Connection({ oauth2 }).authorize({ grant_type: 'client_credentials' });
  const asAdmin = new jsforce.Connection({ oauth2 });
  seen.assertionGrant = await asAdmin.authorize({ grant_type: JWT_BEARER, assertion });
  const sessions = await asAdmin.query('SELECT Id FROM AuthSession WHERE IsCurrent = false');
  seen.ended = await asAdmin.sobject('AuthSession').destroy(sessions.records.map((record) => record.Id));
  seen.afterTheEnd = await failure(org.query('SELECT Id FROM Organization'));
  process.stdout.write(JSON.stringify(seen));
}

main();
