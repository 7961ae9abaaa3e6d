import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Execution, ExecutionList, Problem, Session, SnapshotKind, Transaction, Undone } from '@replpool/protocol';
import type { AgentClient } from './agent-client.ts';
import { endings, type Step } from './programs.ts';
import { type Piece, Reference, type Told } from './reference.ts';
import { type Entry, TransactionModel } from './transaction-model.ts';

const OBSERVER = readFileSync(Reference.observer, 'utf8');
const OBSERVE = `(lambda seen: (exec(${JSON.stringify(OBSERVER)}, seen), print(seen["_observe"](globals()))))({})`;
const HANG = 'print("go", flush=True)\nwhile True: pass';
const PATIENCE_MS = 20_000;
/** A third death within a minute would open the circuit. */
const DEATHS_ALLOWED = 2;

type Coded = Extract<Step, { do: 'run' | 'killRunning' }>;

/** A session beside its model: after each step both are compared. */
export class ModelledSession {
  readonly #agent: AgentClient;
  readonly #reference: Reference;
  readonly #session: Session;
  readonly #kind: SnapshotKind;
  readonly #setup: Piece;
  readonly #model: TransactionModel;
  #transaction: string | undefined;
  #pid = 0;
  #asked = 0;

  private constructor(agent: AgentClient, reference: Reference, session: Session, kind: SnapshotKind, setup: string) {
    this.#agent = agent;
    this.#reference = reference;
    this.#session = session;
    this.#kind = kind;
    this.#setup = { statements: [setup] };
    this.#model = new TransactionModel(kind, session.keepSnapshots);
  }

  static async begin(
    agent: AgentClient,
    reference: Reference,
    { kind, setup, keepSnapshots = 0 }: { kind: SnapshotKind; setup: string; keepSnapshots?: number },
  ): Promise<ModelledSession> {
    const made = new ModelledSession(agent, reference, await agent.session({ keepSnapshots }), kind, setup);
    await made.#beginAnew();
    return made;
  }

  async end(): Promise<void> {
    await this.#agent.fetch(this.#path, { method: 'DELETE' });
  }

  async take(step: Step): Promise<void> {
    if (this.#model.deaths >= DEATHS_ALLOWED) await this.#restart();
    if (step.do === 'restart') await this.#restart();
    else if (step.do === 'killIdle') await this.#killIdle();
    else if (step.do === 'undo') await this.#undo(step.executions);
    else if (step.do === 'commit' || step.do === 'rollback') await this.#endTransaction(step.do);
    else await this.#run(step);
    await this.#compareHistory();
  }

  get #path(): string {
    return `/v1/sessions/${this.#session.id}`;
  }

  async #run(step: Coded): Promise<void> {
    const { policy, statements } = step;
    const body = this.#body(step);
    if (this.#model.refuses(policy)) {
      const refused = await this.#agent.post(`${this.#path}/executions`, body);
      assert.deepEqual([refused.status, ((await refused.json()) as Problem).code], [409, 'TRANSACTION_OPEN']);
      await this.#compare();
      return;
    }
    const ending = step.do === 'run' ? endings[step.ending] : '';
    const hangs = step.do === 'killRunning' || step.ending === 'hang';
    const codes = statements.map(({ code }) => code);
    const piece = { statements: ending === '' ? codes : [...codes, ending], hangs };
    const told = await this.#reference.run([...this.#model.standing, piece]);
    if (step.do === 'killRunning' && told.status === 'timeout') {
      await this.#kill(step, body);
      return;
    }
    const { outcome, read } = await this.#execute(body, step.do === 'run' && step.followed);
    const ran = { id: body.id, piece, kinds: statements.map(({ kind }) => kind), at: told.at };
    const isLost = told.status === 'killed' && this.#model.isLostByDeath(policy);
    const { deaths } = this.#model;
    this.#check(outcome, told, isLost, () => this.#model.ended(ran, policy, told));
    // What was asked before clients could know of the loss is cancelled; asked a moment later it waits for the state that comes.
    const isEarly = this.#model.deaths > deaths && read?.status === 'cancelled';
    if (read && isEarly) this.#remember(read, 'cancelled', undefined);
    const asked = isEarly ? undefined : read;
    const stands = told.status !== 'killed' && outcome.transaction?.outcome !== 'rolled_back';
    if (isLost) await this.#beginAnew(asked);
    else if (step.do !== 'run' || !step.quiet || !stands || asked) await this.#compare(asked);
  }

  #body({ policy, statements, ...step }: Coded): { id: string; code: string } & Record<string, unknown> {
    const hangs = step.do === 'killRunning' || step.ending === 'hang';
    const ending = step.do === 'run' ? endings[step.ending] : '';
    const code = [...statements.map(({ code }) => code), ending, hangs ? HANG : ''].join('\n');
    const demanded = policy === 'commit_always' || this.#kind === 'fork' ? {} : { snapshot: this.#kind };
    return {
      id: this.#nextId(),
      code,
      ...(policy !== 'none' && { transaction: { policy, ...demanded } }),
      ...(hangs && { timeoutSeconds: step.do === 'run' ? 1 : 60 }),
    };
  }

  #nextId(): string {
    this.#asked += 1;
    return `e${this.#asked}`;
  }

  /** @param isFollowed asks for the state before it has ended */
  async #execute(
    body: { id: string; code: string },
    isFollowed: boolean,
  ): Promise<{ outcome: Execution; read: Execution | undefined }> {
    const { id } = this.#session;
    if (!isFollowed) return { outcome: await this.#agent.run(id, body.code, body), read: undefined };
    assert.equal((await this.#agent.post(`${this.#path}/executions?wait=false`, body)).status, 202);
    const [outcome, read] = await Promise.all([this.#agent.run(id, body.code, body), this.#observe()]);
    return { outcome, read };
  }

  #observe(): Promise<Execution> {
    return this.#agent.run(this.#session.id, OBSERVE, { silent: true, id: this.#nextId() });
  }

  /** That an execution ended as the reference did, and that its transaction is told of as the model says. */
  #check(outcome: Execution, told: Told, isLost: boolean, transition: () => Entry['outcome']): void {
    const count = this.#model.executionCount + 1;
    const expected = transition();
    assert.deepEqual(
      [outcome.status, outcome.error && 'name' in outcome.error ? outcome.error.name : ''],
      [told.status, told.status === 'timeout' ? 'KeyboardInterrupt' : told.name],
      'how an execution ends',
    );
    assert.equal(outcome.executionCount, count, 'its number is not given again');
    assert.equal(outcome.transaction?.outcome, expected, 'what is told of the transaction');
    if (expected === 'rolled_back') assert.deepEqual(outcome.variables, { added: [], changed: [], deleted: [] });
    const { transaction } = outcome;
    if (transaction && transaction.policy !== 'commit_always') {
      assert.equal(transaction.snapshot, this.#kind);
      if (this.#transaction !== undefined) assert.equal(transaction.id, this.#transaction);
    }
    this.#transaction = this.#model.isOpen && !isLost ? transaction?.id : undefined;
    this.#remember(outcome, told.status, expected);
  }

  #remember({ id, status }: Execution, expected: Entry['status'], outcome: Entry['outcome']): void {
    assert.equal(status, expected);
    this.#model.history.push({ id, status, outcome });
  }

  async #kill(step: Extract<Step, { do: 'killRunning' }>, body: { id: string; code: string }): Promise<void> {
    const { policy, afterMs } = step;
    const running = this.#agent.run(this.#session.id, body.code, body);
    if (afterMs === undefined) await this.#until(async () => (await this.#execution(body.id))?.stdout?.includes('go'));
    else await new Promise((resolve) => setTimeout(resolve, afterMs));
    process.kill(this.#pid, 'SIGKILL');
    const outcome = await running;
    // It may have died before there was a snapshot, and even before it had begun.
    const isBefore = afterMs !== undefined && !this.#model.isOpen && outcome.transaction === undefined;
    const isIdle = isBefore && (await this.#hasLost());
    const isLost = this.#model.isLostByDeath(policy) || (isBefore && this.#model.isLostByDeath('none'));
    const count = this.#model.executionCount + 1;
    if (outcome.status !== 'cancelled') assert.equal(outcome.status, 'killed');
    else assert.ok(isBefore, 'cancelled though its snapshot was there');
    const wasCounted = outcome.executionCount !== undefined;
    if (afterMs === undefined || !isBefore) assert.equal(outcome.executionCount, count);
    const ran = { id: body.id, piece: { statements: [] }, kinds: [], at: 0 };
    const isGone = isIdle ? this.#model.diedIdle() : isLost;
    const expected = isIdle ? undefined : this.#model.ended(ran, isBefore ? 'none' : policy, { status: 'killed' });
    if (isIdle || !wasCounted) this.#model.executionCount = isGone ? 0 : count - (wasCounted ? 0 : 1);
    assert.equal(outcome.transaction?.outcome, expected, 'what is told of the transaction');
    this.#transaction = undefined;
    this.#remember(outcome, outcome.status, expected);
    if (isGone) await this.#beginAnew();
    else await this.#compare();
  }

  /** Whether the death of a session that keeps snapshots came before that of the execution was there. */
  async #hasLost(): Promise<boolean> {
    if (this.#session.keepSnapshots === 0) return false;
    await this.#until(async () => (await this.#state()).state === 'idle');
    return (await this.#state()).stateEpoch > this.#model.stateEpoch;
  }

  async #execution(id: string): Promise<Execution | undefined> {
    const response = await this.#agent.fetch(`${this.#path}/executions/${id}`);
    return response.status === 200 ? ((await response.json()) as Execution) : undefined;
  }

  async #killIdle(): Promise<void> {
    process.kill(this.#pid, 'SIGKILL');
    const isLost = this.#model.diedIdle();
    this.#transaction = undefined;
    await this.#until(async () => (await this.#state()).stateEpoch === this.#model.stateEpoch);
    if (isLost) await this.#beginAnew();
    else await this.#compare();
  }

  async #undo(executions: number): Promise<void> {
    const response = await this.#agent.post(`${this.#path}/undo`, { executions });
    const answer = (await response.json()) as Problem & Undone;
    const { least, most } = this.#model.undoable;
    if (this.#model.isOpen) assert.deepEqual([response.status, answer.code], [409, 'TRANSACTION_OPEN']);
    else if (executions > most) {
      assert.deepEqual([response.status, answer.code], [409, 'NO_SNAPSHOT']);
      assert.equal((answer.details as { undoable?: number } | undefined)?.undoable, most);
    } else {
      assert.equal(least, most, 'how many can be undone is known');
      assert.equal(response.status, 200, JSON.stringify(answer));
      assert.deepEqual(answer.executions, this.#model.undo(executions), 'what was undone');
      assert.equal(answer.stateEpoch, this.#model.stateEpoch);
    }
    await this.#compare();
  }

  async #endTransaction(how: 'commit' | 'rollback'): Promise<void> {
    const response = await this.#agent.post(`${this.#path}/transaction/${how}`, {});
    const answer = (await response.json()) as Problem & Transaction;
    if (!this.#model.isOpen) {
      assert.deepEqual([response.status, answer.code], [409, 'NO_TRANSACTION']);
    } else {
      assert.equal(response.status, 200, JSON.stringify(answer));
      assert.deepEqual(
        [answer.outcome, answer.id],
        [how === 'commit' ? 'committed' : 'rolled_back', this.#transaction],
      );
      if (how === 'commit') this.#model.commit();
      else this.#model.rollBack();
      this.#transaction = undefined;
    }
    await this.#compare();
  }

  async #restart(): Promise<void> {
    assert.equal((await this.#agent.post(`${this.#path}/restart`, {})).status, 200);
    this.#model.beginAnew();
    this.#model.deaths = 0;
    this.#transaction = undefined;
    await this.#beginAnew();
  }

  /** The namespace is empty, and gets what every program begins with. */
  async #beginAnew(asked?: Execution): Promise<void> {
    await this.#compare(asked);
    const id = this.#nextId();
    const ran = { id, piece: this.#setup, kinds: [], at: 1 };
    const told = await this.#reference.run([this.#setup]);
    const outcome = await this.#agent.run(this.#session.id, this.#setup.statements.join('\n'), { id });
    this.#check(outcome, told, false, () => this.#model.ended(ran, 'none', told));
    await this.#compare();
  }

  /** @param asked the question for the state, where it was asked already */
  async #compare(asked?: Execution): Promise<void> {
    const read = asked ?? (await this.#observe());
    assert.equal(read.status, 'ok', JSON.stringify(read.error));
    const expected = this.#model.read(read.id);
    assert.equal(read.transaction?.outcome, expected);
    this.#remember(read, 'ok', expected);
    const { pid, state } = JSON.parse(read.stdout) as { pid: number; state: unknown };
    const { state: standing } = await this.#reference.run([...this.#model.standing, { statements: [] }]);
    assert.deepEqual(state, standing, 'the state');
    this.#pid = pid;
    const { id, stateEpoch, executionCount, undoable } = await this.#state();
    if (!this.#model.isOpen) {
      const { least, most } = this.#model.undoable;
      assert.ok(undoable >= least && undoable <= most, `${undoable} can be undone, not ${least} to ${most}`);
      this.#model.learned(undoable);
    }
    assert.deepEqual(
      { id, stateEpoch, executionCount },
      { id: this.#session.id, stateEpoch: this.#model.stateEpoch, executionCount: this.#model.executionCount },
    );
  }

  async #compareHistory(): Promise<void> {
    const response = await this.#agent.fetch(`${this.#path}/executions?limit=1000`);
    const { items } = (await response.json()) as ExecutionList;
    const said = items.map(({ id, status, transaction }) => ({ id, status, outcome: transaction?.outcome }));
    assert.deepEqual(said, this.#model.history, 'the history');
  }

  async #state(): Promise<Session> {
    return (await (await this.#agent.fetch(this.#path)).json()) as Session;
  }

  async #until(condition: () => Promise<unknown>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await condition())) {
      assert.ok(performance.now() < deadline, 'it did not come to it in time');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
