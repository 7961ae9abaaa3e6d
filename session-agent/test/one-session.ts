import type { Execution, ReplPoolSpecInput, Session } from '@replpool/protocol';
import { RealAgent } from './real-agent.ts';

/** The agent of a suite, and the session of the test that runs. */
export interface OneSession {
  readonly agent: RealAgent;
  /** Ends with its test; one that ends it has another put here. */
  session: Session;
  run(code: string, body?: Record<string, unknown>): Promise<Execution>;
  /** The `text/plain` of what code gives. */
  value(code: string): Promise<string>;
  /** The session as it is now. */
  state(): Promise<Session>;
}

/** Starts an agent for a suite, and a session for each of its tests; to be called in its `describe`. */
export function oneSession(spec: ReplPoolSpecInput): OneSession {
  let agent: RealAgent;
  let session: Session;
  before(async () => {
    agent = await RealAgent.start(spec);
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await agent.session();
  });
  afterEach(async () => {
    await agent.fetch(`/v1/sessions/${session.id}`, { method: 'DELETE' });
  });
  const run = (code: string, body: Record<string, unknown> = {}) => agent.run(session.id, code, body);
  return {
    get agent() {
      return agent;
    },
    get session() {
      return session;
    },
    set session(other) {
      session = other;
    },
    run,
    value: async (code) => String((await run(code)).result?.data['text/plain']),
    state: async () => (await (await agent.fetch(`/v1/sessions/${session.id}`)).json()) as Session,
  };
}
