// One app of the crowd: works in its session until stdin ends, and writes a line of JSON for each login and one at its end.
const fs = require('fs');
const path = require('path');

const [folder, role, interval, pause] = process.argv.slice(2);
const { logIn } = require(path.join(folder, 'salesforce-login.js'));
const QUERY = 'SELECT Id FROM Organization';
const tell = (what) => fs.writeSync(1, `${JSON.stringify({ ...what, pid: process.pid })}\n`);
const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function main() {
  let stopped = false;
  process.stdin.on('end', () => { stopped = true; }).resume();
  const refused = new Set();
  const enter = async () => {
    const made = await logIn(role, refused, 1000 * pause);
    tell({ did: 'log in' });
    return made;
  };
  let org = await enter();
  while (!stopped) {
    try {
      await org.query(QUERY);
    } catch (failed) {
      if (failed.errorCode !== 'INVALID_SESSION_ID') throw failed;
      org = await enter();
    }
    await wait(interval);
  }
  const found = await org.query(QUERY);
  tell({ did: 'end', found: found.totalSize, refused: [...refused] });
}

main().catch((failed) => {
  tell({ did: 'fail', reason: String(failed) });
  process.exitCode = 1;
});
