import assert from 'node:assert/strict';
import { RealAgent } from './real-agent.ts';

const EXPECTED = ['queued', 'started', 'a\n', 'display', 'b\n', 'clear_output', 'update_display', 'c\n', 'finished'];

describe('displays', () => {
  it('stand between what is printed before and after them, each time', async function () {
    this.timeout(120_000);
    const agent = await RealAgent.start({ sessions: { minIdle: 1 } });
    try {
      const { id } = await agent.session();
      const code = "print('a'); display(1); print('b'); clear_output(); update_display(2, display_id='d'); print('c')";
      for (let round = 0; round < 50; round += 1) {
        const shown: string[] = [];
        for await (const event of agent.events(id, { code })) {
          shown.push(event.type === 'stdout' ? event.data : event.type);
        }
        assert.deepEqual(shown, EXPECTED);
      }
    } finally {
      await agent.close();
    }
  });
});
