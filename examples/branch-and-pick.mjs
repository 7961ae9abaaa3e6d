// Tries eight learning rates at the same time, each on a live copy of one session, and goes on with the best:
//   node examples/branch-and-pick.mjs
// Needs Node.js and a running service (`npm start`), whose URL may stand in REPLPOOL_URL and whose key in REPLPOOL_API_KEY.

const SERVICE = process.env.REPLPOOL_URL || 'http://127.0.0.1:8080';
const KEY = process.env.REPLPOOL_API_KEY;
const RATES = [0.003, 0.01, 0.03, 0.1, 0.3, 0.8, 1, 10];

/** Loads data and trains a little: what all branches then share, and none of them has to do again. */
const PREPARE = `
import math, random

random.seed(7)
points = [(x / 50, math.sin(x / 15) + random.gauss(0, 0.1)) for x in range(-50, 50)]
random.shuffle(points)
training, validation = points[:80], points[80:]
weights = [0.0] * 6

def predict(x):
    return sum(weight * x**power for power, weight in enumerate(weights))

def loss():
    return sum((predict(x) - y) ** 2 for x, y in validation) / len(validation)

def train(rate, epochs):
    for _ in range(epochs):
        slopes = [0.0] * len(weights)
        for x, y in training:
            error = predict(x) - y
            for power in range(len(weights)):
                slopes[power] += 2 * error * x**power / len(training)
        for power, slope in enumerate(slopes):
            weights[power] -= rate * slope

train(rate=0.1, epochs=20)
loss()
`;

/** Changes half of the data in place before it fails. */
const BROKEN = `
for i, (x, y) in enumerate(training):
    training[i] = (x / (40 - i), y)
`;

async function call(method, path, body) {
  const response = await fetch(new URL(path, SERVICE), {
    method,
    headers: { 'content-type': 'application/json', ...(KEY && { authorization: `Bearer ${KEY}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (response.status === 204) return undefined;
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.what} (${answer.code})\n${answer.how}`);
  return answer;
}

const run = (session, code, more) => call('POST', `/v1/sessions/${session}/executions`, { code, ...more });

/** The last expression's value; undefined where the code failed. */
const numberOf = ({ result }) => (result === undefined ? undefined : Number(result.data['text/plain']));
const messageOf = ({ error }) => `${error.name ?? error.code}: ${error.message}`;

const sessions = [];
const end = async (session) => {
  await call('DELETE', `/v1/sessions/${session}`);
  sessions.splice(sessions.indexOf(session), 1);
};

try {
  const { id: base } = await call('POST', '/v1/sessions', {});
  sessions.push(base);
  console.log(`the base model has a loss of ${numberOf(await run(base, PREPARE)).toPrecision(4)}`);

  const failed = await run(base, BROKEN, { transaction: { policy: 'rollback_on_failure' } });
  console.log(`a step failed (${messageOf(failed)}) and was ${failed.transaction.outcome.replace('_', ' ')}`);
  console.log(`the base model has a loss of ${numberOf(await run(base, 'loss()')).toPrecision(4)}`);

  const forkedAt = performance.now();
  const { items } = await call('POST', `/v1/sessions/${base}/fork`, { count: RATES.length });
  sessions.push(...items.map(({ id }) => id));
  console.log(`${items.length} branches in ${(performance.now() - forkedAt).toFixed(0)} ms`);

  const tried = await Promise.all(
    items.map(async ({ id }, i) => {
      const outcome = await run(id, `train(rate=${RATES[i]}, epochs=200)\nloss()`);
      return { id, rate: RATES[i], outcome, loss: numberOf(outcome) };
    }),
  );
  const best = tried.filter(({ loss }) => Number.isFinite(loss)).sort((a, b) => a.loss - b.loss)[0];
  console.log('\nrate      loss');
  for (const { rate, outcome, loss } of tried) {
    const shown = loss === undefined ? messageOf(outcome) : loss.toPrecision(4);
    console.log(`${String(rate).padEnd(10)}${shown}${rate === best.rate ? '  <- best' : ''}`);
  }

  await Promise.all(sessions.filter((id) => id !== best.id).map(end));
  const further = await run(best.id, `train(rate=${best.rate}, epochs=400)\nloss()`);
  console.log(`\nthe best goes on, alone: a loss of ${numberOf(further).toPrecision(4)}`);
} finally {
  await Promise.all([...sessions].map(end));
}
