// What `helm test` runs: through the Service, with a real token where the mode takes this cluster's, as a client would.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const { ROUTER_URL, TOKEN_FILE } = process.env;
const deadline = Date.now() + 60_000;

async function answer(path, headers = {}) {
  for (;;) {
    try {
      const response = await fetch(new URL(path, ROUTER_URL), { headers, signal: AbortSignal.timeout(5_000) });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      if (Date.now() > deadline) throw error;
      console.log(`${path}: ${error.cause ?? error}; again`);
      await sleep(1_000);
    }
  }
}

function expect(what, { status, text }, wanted) {
  if (status !== wanted) throw new Error(`${what} is ${status} and not ${wanted}: ${text}`);
  console.log(`${what}: ${status}`);
}

expect('/healthz', await answer('/healthz'), 200);
expect('/v1/pools without a token', await answer('/v1/pools'), 401);
if (TOKEN_FILE !== undefined) {
  const authorization = `Bearer ${readFileSync(TOKEN_FILE, 'utf8').trim()}`;
  const pools = await answer('/v1/pools', { authorization });
  expect("/v1/pools with this ServiceAccount's token", pools, 200);
  const { items } = JSON.parse(pools.text);
  console.log(`pools: ${items.map((pool) => pool.name).join(' ') || 'none yet'}`);
}
